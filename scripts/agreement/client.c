/*
 * A load generator that shares nothing with load/: one thread, epoll, lines to an echo server of 127.0.0.1. It is what
 * `npm run agreement` holds ours against. It knows two models only, and nothing of results but one line of JSON.
 *
 *     client PORT CONNECTIONS RATE WARMUP SECONDS
 *
 * RATE 0 is closed: each connection sends a line when it has the reply to the one before. Else so many lines a second are due,
 * evenly; this never sleeps then, and what is due is sent on the connections by turns, a line having at most DEEP before it
 * on its connection. WARMUP is not measured, and what was due or sent in it never is.
 *
 * Service time is from the write of a line to the read of its reply, response time from when it was due. All times in
 * nanoseconds, and in microseconds where they are printed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 64, PREFIX = 6, REPLY = PREFIX + LINE, DEEP = 64, EVENTS = 256, MOST = 10000 };

static const uint64_t second = 1000000000, grace = 10000000000;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * second + (uint64_t)time.tv_nsec;
}

/* ── Histogram: 1,024 steps for every power of two, so that a value is right to 0.1 % ───────────────────────────────── */

enum { STEPS = 10, BUCKETS = (64 - STEPS) << STEPS };

struct histogram {
  uint64_t counts[BUCKETS], total, max;
};

static void record(struct histogram *histogram, uint64_t value) {
  int shift = value >> (STEPS + 1) ? 63 - __builtin_clzll(value) - STEPS : 0;
  histogram->counts[((uint64_t)shift << STEPS) + (value >> shift)]++;
  histogram->total++;
  if (value > histogram->max) histogram->max = value;
}

static double percentile(const struct histogram *histogram, double percent) {
  uint64_t wanted = (uint64_t)(percent / 100 * (double)histogram->total + 0.5), seen = 0;
  for (uint64_t bucket = 0; bucket < BUCKETS; bucket++) {
    seen += histogram->counts[bucket];
    if (seen < wanted || seen == 0) continue;
    int shift = bucket >> (STEPS + 1) ? (int)(bucket >> STEPS) - 1 : 0;
    return (double)((bucket - ((uint64_t)shift << STEPS)) << shift) / 1000;
  }
  return (double)histogram->max / 1000;
}

/* ── Connections ─────────────────────────────────────────────────────────────────────────────────────────────────── */

struct connection {
  int socket;
  unsigned first, length; /* of the ring of lines in flight */
  uint64_t due[DEEP], sent[DEEP];
  char reply[REPLY];
  size_t have; /* bytes of a reply */
};

static struct connection connections[MOST];
static struct histogram service, response;
static char line[LINE], expected[REPLY];
static uint64_t sent, replies, wrong, in_flight, measured_sent, from, until;

static void open_one(struct connection *connection, int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  int on = 1;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  connection->socket = socket(AF_INET, SOCK_STREAM, 0);
  if (connection->socket < 0 || connect(connection->socket, (struct sockaddr *)&address, sizeof address) < 0) die("connect");
  setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void ask(struct connection *connection, uint64_t due) {
  uint64_t at = now();
  unsigned place = (connection->first + connection->length) % DEEP;
  connection->due[place] = due;
  connection->sent[place] = at;
  connection->length++;
  in_flight++;
  sent++;
  if (due >= from && due < until) measured_sent++;
  /* 64 lines fit into any socket's buffer. */
  if (send(connection->socket, line, LINE, MSG_NOSIGNAL | MSG_DONTWAIT) != LINE) die("send");
}

static void answered(struct connection *connection, uint64_t at) {
  uint64_t due = connection->due[connection->first], sent_at = connection->sent[connection->first];
  if (memcmp(connection->reply, expected, REPLY) != 0) wrong++;
  connection->first = (connection->first + 1) % DEEP;
  connection->length--;
  in_flight--;
  if (due < from || due >= until) return;
  replies++;
  record(&service, at - sent_at);
  record(&response, at - due);
}

/* Reads what is there, and returns how many replies that was. */
static unsigned take(struct connection *connection) {
  char bytes[DEEP * REPLY];
  unsigned count = 0;
  ssize_t length = recv(connection->socket, bytes, sizeof bytes, MSG_DONTWAIT);
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (length <= 0) die("the server ended a connection");
  uint64_t at = now();
  for (ssize_t index = 0; index < length;) {
    size_t some = REPLY - connection->have;
    if (some > (size_t)(length - index)) some = (size_t)(length - index);
    memcpy(connection->reply + connection->have, bytes + index, some);
    connection->have += some;
    index += (ssize_t)some;
    if (connection->have < REPLY) continue;
    if (connection->length == 0) wrong++;
    else answered(connection, at);
    connection->have = 0;
    count++;
  }
  return count;
}

int main(int count, char **arguments) {
  if (count != 6) {
    fprintf(stderr, "client PORT CONNECTIONS RATE WARMUP SECONDS\n");
    return 2;
  }
  int port = atoi(arguments[1]), many = atoi(arguments[2]);
  double rate = atof(arguments[3]), warmup = atof(arguments[4]), seconds = atof(arguments[5]);
  if (many < 1 || many > MOST || rate < 0 || seconds <= 0) return 2;

  memset(line, 'x', LINE - 1);
  line[LINE - 1] = '\n';
  memcpy(expected, "echo: ", PREFIX);
  memcpy(expected + PREFIX, line, LINE);

  int poll = epoll_create1(0);
  if (poll < 0) die("epoll");
  for (int index = 0; index < many; index++) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[index]};
    open_one(&connections[index], port);
    if (epoll_ctl(poll, EPOLL_CTL_ADD, connections[index].socket, &event) < 0) die("epoll");
  }

  uint64_t began = now(), dispatched = 0, due_in_all = (uint64_t)(rate * (warmup + seconds));
  int next = 0;
  from = began + (uint64_t)(warmup * (double)second);
  until = from + (uint64_t)(seconds * (double)second);
  struct rusage before, after;
  getrusage(RUSAGE_SELF, &before);
  if (rate == 0) for (int index = 0; index < many; index++) ask(&connections[index], now());

  for (;;) {
    struct epoll_event events[EVENTS];
    int found = epoll_wait(poll, events, EVENTS, rate > 0 ? 0 : 100);
    if (found < 0 && errno != EINTR) die("epoll_wait");
    for (int index = 0; index < found; index++) {
      struct connection *connection = events[index].data.ptr;
      if (take(connection) > 0 && rate == 0 && now() < until) ask(connection, now());
    }
    uint64_t at = now();
    if (rate > 0) {
      uint64_t due = (uint64_t)((double)(at - began) / (double)second * rate);
      if (due > due_in_all) due = due_in_all;
      for (int full = 0; dispatched < due && full < many; next = (next + 1) % many) {
        struct connection *connection = &connections[next];
        if (connection->length == DEEP) {
          full++;
          continue;
        }
        full = 0;
        dispatched++;
        ask(connection, began + (uint64_t)((double)dispatched / rate * (double)second));
      }
    }
    if (at >= until && (in_flight == 0 || at >= until + grace)) break;
  }

  getrusage(RUSAGE_SELF, &after);
  double cpu = (double)(after.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_utime.tv_sec - before.ru_stime.tv_sec) +
               (double)(after.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_utime.tv_usec - before.ru_stime.tv_usec) / 1e6;
  printf("{\"sent\":%llu,\"replies\":%llu,\"errors\":%llu,\"rate\":%.1f,\"cpu\":%.2f,"
         "\"service\":{\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f},\"response\":{\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f}}\n",
         (unsigned long long)measured_sent, (unsigned long long)replies, (unsigned long long)(wrong + in_flight),
         (double)replies / seconds, cpu / (double)sent * 1e6, percentile(&service, 50), percentile(&service, 99),
         (double)service.max / 1000, percentile(&response, 50), percentile(&response, 99), (double)response.max / 1000);
  return 0;
}
