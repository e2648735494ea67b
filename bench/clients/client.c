/*
 * A load generator that shares nothing with load/: one thread, epoll, requests to an echo server of 127.0.0.1. It makes the
 * load of the comparison, and `npm run agreement` holds ours against it. It knows nothing of results but one line of JSON.
 *
 *     client KEY=VALUE ...
 *
 *     port         of the server
 *     mode         closed (default): each connection has so many requests in flight; open: by a schedule; churn: connect, one
 *                  request, its reply, close
 *     connections  at once (1)
 *     in-flight    requests of one connection at once (1); in an open run the most that wait on it
 *     size         bytes of a request, its LF or length included (64)
 *     framing      lines (default), or length: 4 bytes, big-endian, in front of the content
 *     prefix       what the server puts in front of a line ("echo: "; nothing with length)
 *     request, reply   instead of an echo: always this, answered by that
 *     rate         requests a second of an open run, evenly, on the connections by turns; this never sleeps then either
 *     frozen       so many connections more, which send requests and never read (0)
 *     warmup       seconds that are not measured (1)
 *     seconds      that are (5)
 *     bursts       what is measured is cut into so many, so that others can have their turn in between: the warm-up and each
 *                  burst begin with a line on stdin and end with one on stdout, of which the last is the result (0: in one
 *                  piece, at once)
 *     lead         seconds of load in front of each burst that are not measured (0)
 *     server       a process whose CPU clock is read when the measured part begins and when it ends
 *     cpu          the CPU that the server has for itself: what others took of it is read at the same moments, and this one
 *                  never sleeps, because whoever sends to one that does pays for waking it
 *
 * Contents differ by connection and request, and every byte of every reply is compared. All that is due on a connection is one
 * send. What a connection is wrong in ends it. After the measured part nothing is sent but what was due, and replies have
 * GRACE to come. A connection of churn is ended by a reset: its port is free at once then, where a FIN would leave it in
 * TIME_WAIT for a minute.
 *
 * Service time is from when a request was handed over to the kernel to the read of its reply, or of churn from the call to
 * connect; response time from when it was due. All times in nanoseconds; where they are printed seconds, and latencies microseconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, HEAD = 16, TURNS = 4096, BUFFER = 1 << 18, MOST = 100000 };

static const uint64_t second = 1000000000, grace = 10000000000;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void refuse(const char *format, ...) {
  va_list values;
  va_start(values, format);
  vfprintf(stderr, format, values);
  va_end(values);
  fputc('\n', stderr);
  exit(2);
}

static uint64_t read_clock(clockid_t clock) {
  struct timespec time;
  if (clock_gettime(clock, &time) < 0) die("clock");
  return (uint64_t)time.tv_sec * second + (uint64_t)time.tv_nsec;
}

static uint64_t now(void) { return read_clock(CLOCK_MONOTONIC); }

/* ── Histogram: 1,024 steps for every power of two, so that a value is right to 0.1 % ───────────────────────────────── */

enum { STEPS = 10, BUCKETS = (64 - STEPS) << STEPS };

struct histogram {
  uint64_t counts[BUCKETS], total, max;
  double sum;
};

static void record(struct histogram *histogram, uint64_t value) {
  int shift = value >> (STEPS + 1) ? 63 - __builtin_clzll(value) - STEPS : 0;
  histogram->counts[((uint64_t)shift << STEPS) + (value >> shift)]++;
  histogram->total++;
  histogram->sum += (double)value;
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

/* ── What was asked for ──────────────────────────────────────────────────────────────────────────────────────────── */

static enum { CLOSED, OPEN, CHURN } mode = CLOSED;
static int port, many = 1, deep = 1, frozen, server, cpu = -1, bursts;
static size_t size = 64;
static bool lines = true;
static const char *prefix, *fixed_request, *fixed_reply;
static double rate, warmup = 1, seconds = 5, lead;

static double number(const char *key, const char *text, double least, double most) {
  char *end;
  double value = strtod(text, &end);
  if (*text == 0 || *end != 0 || !(value >= least && value <= most)) {
    refuse("client: %s takes a number from %.0f to %.0f, got %s", key, least, most, text);
  }
  return value;
}

static int choice(const char *key, const char *text, const char *const *names, int count) {
  for (int index = 0; index < count; index++) if (strcmp(text, names[index]) == 0) return index;
  refuse("client: %s is none of those that there are: %s", key, text);
  return 0;
}

static void set(const char *key, const char *text) {
  static const char *const modes[] = {"closed", "open", "churn"}, *const framings[] = {"length", "lines"};
  if (strcmp(key, "port") == 0) port = (int)number(key, text, 1, 65535);
  else if (strcmp(key, "mode") == 0) mode = choice(key, text, modes, 3);
  else if (strcmp(key, "connections") == 0) many = (int)number(key, text, 1, MOST);
  else if (strcmp(key, "in-flight") == 0) deep = (int)number(key, text, 1, MOST);
  else if (strcmp(key, "size") == 0) size = (size_t)number(key, text, 1, 1 << 28);
  else if (strcmp(key, "framing") == 0) lines = choice(key, text, framings, 2) == 1;
  else if (strcmp(key, "prefix") == 0) prefix = text;
  else if (strcmp(key, "request") == 0) fixed_request = text;
  else if (strcmp(key, "reply") == 0) fixed_reply = text;
  else if (strcmp(key, "rate") == 0) rate = number(key, text, 0.001, 1e9);
  else if (strcmp(key, "frozen") == 0) frozen = (int)number(key, text, 0, MOST);
  else if (strcmp(key, "warmup") == 0) warmup = number(key, text, 0, 3600);
  else if (strcmp(key, "seconds") == 0) seconds = number(key, text, 0.001, 86400);
  else if (strcmp(key, "bursts") == 0) bursts = (int)number(key, text, 0, MOST);
  else if (strcmp(key, "lead") == 0) lead = number(key, text, 0, 3600);
  else if (strcmp(key, "server") == 0) server = (int)number(key, text, 1, 1 << 30);
  else if (strcmp(key, "cpu") == 0) cpu = (int)number(key, text, 0, 65535);
  else refuse("client: unknown key %s; see the head of client.c", key);
}

static void read_arguments(int count, char **arguments) {
  for (int index = 1; index < count; index++) {
    char *equals = strchr(arguments[index], '=');
    if (equals == NULL) refuse("client: wants KEY=VALUE, got %s", arguments[index]);
    *equals = 0;
    set(arguments[index], equals + 1);
  }
  if (port == 0) refuse("client: wants port=PORT");
  if ((mode == OPEN) != (rate > 0)) refuse("client: rate is for mode=open, which wants one");
  if (mode == OPEN && bursts > 0) refuse("client: bursts have no schedule, so there are none with mode=open");
  if ((fixed_request == NULL) != (fixed_reply == NULL)) refuse("client: request and reply are given together");
  if (!lines && size < 4) refuse("client: a size of %zu has no room for the 4 bytes of the length", size);
  if (prefix == NULL) prefix = lines ? "echo: " : "";
  if (mode == CHURN) deep = 1;
}

/* ── Requests and replies: never stored, but made again wherever a stretch of them is needed ────────────────────────── */

static char *pool; /* printable bytes by chance; each content is a stretch of it, behind a head of its own */
static size_t request_length, reply_length;

static void prepare(void) {
  uint32_t state = 2463534242;
  pool = malloc(size + TURNS);
  if (pool == NULL) die("malloc");
  for (size_t index = 0; index < size + TURNS; index++) {
    state ^= state << 13, state ^= state >> 17, state ^= state << 5;
    pool[index] = (char)(' ' + state % 95);
  }
  request_length = fixed_request == NULL ? size : strlen(fixed_request);
  reply_length = fixed_reply == NULL ? strlen(prefix) + size : strlen(fixed_reply);
  if (request_length == 0 || reply_length == 0) refuse("client: request and reply have at least one byte");
}

/* A message is these, one behind the other. */
struct parts {
  struct { const char *bytes; size_t length; } part[5];
  char head[HEAD], length[4];
};

static void hex(char *into, uint32_t value, int digits) {
  while (digits-- > 0) into[digits] = "0123456789abcdef"[value & 15], value >>= 4;
}

static void compose(struct parts *parts, uint32_t connection, uint64_t index, bool reply) {
  memset(parts->part, 0, sizeof parts->part);
  if (fixed_request != NULL) {
    parts->part[0].bytes = reply ? fixed_reply : fixed_request;
    parts->part[0].length = reply ? reply_length : request_length;
    return;
  }
  size_t content = lines ? size - 1 : size - 4, head = content < HEAD ? content : HEAD;
  uint32_t declared = htonl((uint32_t)content);
  hex(parts->head, connection, 5);
  parts->head[5] = ':';
  hex(parts->head + 6, (uint32_t)index, 8);
  parts->head[14] = parts->head[15] = ' ';
  memcpy(parts->length, &declared, 4);
  if (reply) parts->part[0].bytes = prefix, parts->part[0].length = strlen(prefix);
  parts->part[1].bytes = parts->length, parts->part[1].length = lines ? 0 : 4;
  parts->part[2].bytes = parts->head, parts->part[2].length = head;
  parts->part[3].bytes = pool + (connection * 131u + index * 31u) % TURNS, parts->part[3].length = content - head;
  parts->part[4].bytes = "\n", parts->part[4].length = lines ? 1 : 0;
}

/* Writes a request from one of its bytes on, as far as there is room; how much that was. */
static size_t fill(char *into, size_t room, uint32_t connection, uint64_t index, size_t from) {
  struct parts parts;
  size_t done = 0;
  compose(&parts, connection, index, false);
  for (int part = 0; part < 5 && done < room; part++) {
    size_t length = parts.part[part].length;
    if (from >= length) {
      from -= length;
      continue;
    }
    size_t some = length - from < room - done ? length - from : room - done;
    memcpy(into + done, parts.part[part].bytes + from, some);
    done += some;
    from = 0;
  }
  return done;
}

/* Whether bytes are those of a reply from one of its bytes on. */
static bool same(const char *bytes, size_t count, uint32_t connection, uint64_t index, size_t from) {
  struct parts parts;
  compose(&parts, connection, index, true);
  for (int part = 0; part < 5 && count > 0; part++) {
    size_t length = parts.part[part].length;
    if (from >= length) {
      from -= length;
      continue;
    }
    size_t some = length - from < count ? length - from : count;
    if (memcmp(bytes, parts.part[part].bytes + from, some) != 0) return false;
    bytes += some;
    count -= some;
    from = 0;
  }
  return true;
}

/* ── Connections ─────────────────────────────────────────────────────────────────────────────────────────────────── */

struct moment {
  uint64_t due, sent;
};

struct connection {
  int socket; /* -1 once it has ended */
  uint32_t number;
  bool is_frozen, connecting, waits; /* waits: for room to send */
  uint64_t asked, sending, answered; /* requests: wanted, sent in whole, answered in whole */
  size_t sent, have; /* bytes of the request that is sent in part, and of the reply that is there in part */
  struct moment *moments; /* of those in flight, a ring */
};

static struct connection *connections;
static int poll_fd, left;
static struct histogram service, response;
static uint64_t in_flight, errors, due_measured, replied_measured, messages, from, until;
static bool measuring;
static char buffer[BUFFER], problem[200];

static void went_wrong(const char *format, ...) {
  va_list values;
  if (errors++ > 0) return;
  va_start(values, format);
  vsnprintf(problem, sizeof problem, format, values);
  va_end(values);
}

static void watch(struct connection *connection, int operation) {
  uint32_t wanted = (connection->is_frozen ? 0 : EPOLLIN) | (connection->waits ? EPOLLOUT : 0);
  struct epoll_event event = {.events = wanted, .data.ptr = connection};
  if (epoll_ctl(poll_fd, operation, connection->socket, &event) < 0) die("epoll_ctl");
}

static void end(struct connection *connection, bool reset) {
  struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  if (reset) setsockopt(connection->socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(connection->socket);
  connection->socket = -1;
  if (!connection->is_frozen) in_flight -= connection->asked - connection->answered;
  connection->asked = connection->sending = connection->answered;
  connection->sent = connection->have = 0;
  if (!connection->is_frozen) left--;
}

/* The server may end what never reads; whatever else it ends is lost. */
static void lose(struct connection *connection, const char *why) {
  if (!connection->is_frozen) {
    went_wrong("connection %u was lost with %llu requests in flight: %s", connection->number,
               (unsigned long long)(connection->asked - connection->answered), why);
  }
  end(connection, false);
}

static void open_one(struct connection *connection) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  int on = 1, small = 4096, flags = mode == CHURN && !connection->is_frozen ? SOCK_NONBLOCK : 0;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  connection->socket = socket(AF_INET, SOCK_STREAM | flags, 0);
  if (connection->socket < 0) die("socket");
  setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connection->is_frozen) setsockopt(connection->socket, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  int done = connect(connection->socket, (struct sockaddr *)&address, sizeof address);
  if (done < 0 && errno != EINPROGRESS) die("connect");
  connection->connecting = connection->waits = done < 0;
  if (!connection->is_frozen) left++;
  watch(connection, EPOLL_CTL_ADD);
}

/* Sends what was asked for and is not sent, as far as there is room. */
static void flush(struct connection *connection) {
  bool full = false, stamps = mode != CHURN && !connection->is_frozen;
  while (connection->sending < connection->asked && !full) {
    size_t length = 0, offset = connection->sent;
    for (uint64_t index = connection->sending; index < connection->asked && length < BUFFER; index++, offset = 0) {
      length += fill(buffer + length, BUFFER - length, connection->number, index, offset);
    }
    ssize_t taken = send(connection->socket, buffer, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken < 0 && errno != EAGAIN && errno != EINTR) return lose(connection, strerror(errno));
    full = taken < (ssize_t)length;
    if (taken <= 0) continue;
    connection->sent += (size_t)taken;
    uint64_t at = now();
    for (; connection->sent >= request_length; connection->sent -= request_length, connection->sending++) {
      if (stamps) connection->moments[connection->sending % (uint64_t)deep].sent = at;
    }
  }
  if (full == connection->waits) return;
  connection->waits = full;
  watch(connection, EPOLL_CTL_MOD);
}

/* Requests that are sent with the next flush. */
static void ask(struct connection *connection, uint64_t due, uint64_t at) {
  connection->moments[connection->asked++ % (uint64_t)deep] = (struct moment){due, at};
  in_flight++;
  if (due >= from && due < until) due_measured++;
}

static void answered(struct connection *connection, uint64_t at) {
  struct moment moment = connection->moments[connection->answered++ % (uint64_t)deep];
  in_flight--;
  if (measuring) messages++;
  if (moment.due < from || moment.due >= until) return;
  replied_measured++;
  record(&service, at - moment.sent);
  record(&response, at - moment.due);
}

/* Reads what is there, and returns how many replies that was. */
static unsigned take(struct connection *connection) {
  unsigned count = 0;
  ssize_t length = recv(connection->socket, buffer, BUFFER, MSG_DONTWAIT);
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (length <= 0) {
    lose(connection, length == 0 ? "the server ended it" : strerror(errno));
    return 0;
  }
  uint64_t at = now();
  for (size_t index = 0; index < (size_t)length;) {
    size_t some = reply_length - connection->have;
    if (some > (size_t)length - index) some = (size_t)length - index;
    bool wanted = connection->answered < connection->sending;
    if (!wanted || !same(buffer + index, some, connection->number, connection->answered, connection->have)) {
      went_wrong("connection %u, reply %llu: %s", connection->number, (unsigned long long)connection->answered,
                 wanted ? "wrong bytes" : "bytes that nobody asked for");
      end(connection, true);
      return count;
    }
    connection->have += some;
    index += some;
    if (connection->have < reply_length) continue;
    connection->have = 0;
    answered(connection, at);
    count++;
  }
  return count;
}

/* ── Models ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void ask_and_flush(struct connection *connection, unsigned count) {
  uint64_t at = now();
  while (count-- > 0) ask(connection, at, at);
  flush(connection);
}

/* Those that never read ask as long as there is room. */
static void push(struct connection *connection) {
  connection->asked = connection->sending + 64;
  flush(connection);
}

static void begin_churn(struct connection *connection) {
  open_one(connection);
  uint64_t at = now();
  ask(connection, at, at);
  if (!connection->connecting) flush(connection);
}

static void happened(struct connection *connection, uint32_t what) {
  if (connection->socket < 0) return;
  if (connection->is_frozen) {
    if (what & (EPOLLERR | EPOLLHUP)) lose(connection, "reset");
    else push(connection);
    return;
  }
  if (what & (EPOLLOUT | EPOLLERR | EPOLLHUP) && connection->connecting) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(connection->socket, SOL_SOCKET, SO_ERROR, &error, &length);
    connection->connecting = false;
    if (error != 0) lose(connection, strerror(error));
  }
  if (what & EPOLLOUT && connection->socket >= 0) flush(connection);
  if (what & (EPOLLIN | EPOLLERR | EPOLLHUP) && connection->socket >= 0) {
    unsigned count = take(connection);
    if (mode == CLOSED && count > 0 && connection->socket >= 0 && now() < until) ask_and_flush(connection, count);
    if (mode == CHURN && count > 0 && connection->socket >= 0) end(connection, true);
  }
  if (mode == CHURN && connection->socket < 0 && now() < until) begin_churn(connection);
}

static uint64_t began, dispatched, due_in_all;

/* Sends what is due by now on the connections by turns. */
static void dispatch(uint64_t at) {
  static int next;
  uint64_t due = (uint64_t)((double)(at - began) / (double)second * rate);
  if (due > due_in_all) due = due_in_all;
  int first = next, touched = 0;
  for (int passed = 0; dispatched < due && passed < many; next = (next + 1) % many) {
    struct connection *connection = &connections[next];
    if (touched < many) touched++;
    if (connection->socket < 0 || connection->asked - connection->answered == (uint64_t)deep) {
      passed++;
      continue;
    }
    passed = 0;
    dispatched++;
    ask(connection, began + (uint64_t)((double)dispatched / rate * (double)second), at);
  }
  for (int index = 0; index < touched; index++) {
    struct connection *connection = &connections[(first + index) % many];
    if (connection->socket >= 0 && !connection->waits && connection->sending < connection->asked) flush(connection);
  }
}

/* ── What is measured beside ─────────────────────────────────────────────────────────────────────────────────────── */

struct reading {
  uint64_t at, server, own, polled;
  double busy, stolen; /* seconds of the server's CPU */
};

static clockid_t server_clock;
static uint64_t polled; /* time in which it looked in vain */

static bool interrupts_count;

/*
 * Whether the time of interrupts counts as that of the process that they interrupt: kernels differ in that. Datagrams to
 * oneself are mostly interrupts; of a slice in which nothing else came between, the process has had all or much less.
 */
static bool ask_kernel(void) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t length = sizeof address;
  int own = socket(AF_INET, SOCK_DGRAM, 0);
  double most = 0;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (own < 0 || bind(own, (struct sockaddr *)&address, length) < 0 || getsockname(own, (struct sockaddr *)&address, &length) < 0 ||
      connect(own, (struct sockaddr *)&address, length) < 0) {
    die("datagrams");
  }
  for (int slice = 0; slice < 20; slice++) {
    uint64_t wall = now(), spent = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    for (int index = 0; index < 500; index++) send(own, &most, 1, MSG_DONTWAIT);
    spent = read_clock(CLOCK_PROCESS_CPUTIME_ID) - spent;
    double share = (double)spent / (double)(now() - wall);
    if (share > most) most = share;
  }
  close(own);
  return most > 0.9;
}

static void read_cpu(struct reading *reading) {
  char text[256], name[16];
  double user, nice, system, idle, iowait, irq, softirq, steal, tick = (double)sysconf(_SC_CLK_TCK);
  int length = snprintf(name, sizeof name, "cpu%d ", cpu);
  FILE *file = fopen("/proc/stat", "r");
  if (file == NULL) die("/proc/stat");
  while (fgets(text, sizeof text, file) != NULL) {
    if (strncmp(text, name, (size_t)length) != 0) continue;
    int found = sscanf(text + length, "%lf %lf %lf %lf %lf %lf %lf %lf", &user, &nice, &system, &idle, &iowait, &irq, &softirq,
                       &steal);
    if (found != 8) continue;
    reading->busy = (user + nice + system + (interrupts_count ? irq + softirq : 0)) / tick;
    reading->stolen = steal / tick;
  }
  fclose(file);
}

static struct reading take_reading(void) {
  struct reading reading = {0};
  if (cpu >= 0) read_cpu(&reading);
  reading.own = read_clock(CLOCK_PROCESS_CPUTIME_ID);
  reading.polled = polled;
  if (server > 0) {
    struct timespec time;
    if (clock_gettime(server_clock, &time) < 0) went_wrong("the server, process %d, has ended", server);
    else reading.server = (uint64_t)time.tv_sec * second + (uint64_t)time.tv_nsec;
  }
  reading.at = now();
  return reading;
}

static double seconds_of(uint64_t nanoseconds) { return (double)nanoseconds / 1e9; }

static void print_latency(const char *name, const struct histogram *histogram) {
  printf(",\"%s\":{\"mean\":%.1f,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f}", name,
         histogram->total == 0 ? 0 : histogram->sum / (double)histogram->total / 1000, percentile(histogram, 50),
         percentile(histogram, 90), percentile(histogram, 99), percentile(histogram, 99.9), (double)histogram->max / 1000);
}

/* What went on between two readings, in all parts that were measured. */
static struct reading sum;

static void add(const struct reading *first, const struct reading *last) {
  sum.at += last->at - first->at;
  if (last->server >= first->server) sum.server += last->server - first->server;
  sum.own += last->own - first->own;
  sum.polled += last->polled - first->polled;
  sum.busy += last->busy - first->busy;
  sum.stolen += last->stolen - first->stolen;
}

static void print(void) {
  double wall = seconds_of(sum.at), spent = seconds_of(sum.server);
  printf("{\"messages\":%llu,\"seconds\":%.6f", (unsigned long long)messages, wall);
  if (sum.server > 0) printf(",\"serverCpu\":%.9f", spent);
  double polling = seconds_of(sum.polled), busy = seconds_of(sum.own) - polling;
  printf(",\"generatorCpu\":%.9f,\"polling\":%.9f", busy > 0 ? busy : 0, polling);
  if (cpu >= 0) {
    double elsewhere = sum.busy - spent;
    if (server > 0) printf(",\"elsewhere\":%.3f", elsewhere > 0 ? elsewhere : 0);
    printf(",\"stolen\":%.3f", sum.stolen);
  }
  printf(",\"errors\":%llu", (unsigned long long)errors);
  if (errors > 0) printf(",\"problem\":\"%s\"", problem);
  if (mode == OPEN) printf(",\"target\":%.3f,\"achieved\":%.3f", rate, (double)messages / wall);
  printf(",\"sent\":%llu,\"replies\":%llu", (unsigned long long)due_measured, (unsigned long long)replied_measured);
  print_latency("service", &service);
  print_latency("response", &response);
  printf("}\n");
}

/* Waits until something happens or a moment comes, at most 0.1 s, and lets it happen. Returns when that was. */
static uint64_t step(uint64_t next) {
  struct epoll_event events[EVENTS];
  bool sleeps = mode != OPEN && cpu < 0;
  uint64_t at = now(), wait = !sleeps || at >= next ? 0 : next - at < second / 10 ? next - at : second / 10;
  int found = epoll_wait(poll_fd, events, EVENTS, (int)((wait + 999999) / 1000000));
  if (found < 0 && errno != EINTR) die("epoll_wait");
  uint64_t after = now();
  if (found == 0 && !sleeps) polled += after - at;
  for (int index = 0; index < found; index++) happened(events[index].data.ptr, events[index].events);
  return after;
}

static void begin(void) {
  for (int index = 0; index < many; index++) {
    if (mode == CHURN) begin_churn(&connections[index]);
    else if (connections[index].socket >= 0) ask_and_flush(&connections[index], (unsigned)deep);
  }
}

/* The warm-up and what is measured without a break: the server is under load at both ends of it. */
static void in_one_piece(void) {
  until = UINT64_MAX; /* what all connections ask at first may itself take long */
  if (mode != OPEN) begin();
  began = now();
  from = began + (uint64_t)(warmup * (double)second);
  until = from + (uint64_t)(seconds * (double)second);
  due_in_all = (uint64_t)(rate * (warmup + seconds));
  struct reading first = {0}, last = {0};
  for (;;) {
    uint64_t at = step(now() < from ? from : now() < until ? until : UINT64_MAX);
    if (!measuring && first.at == 0 && at >= from) {
      first = take_reading(), measuring = true;
      if (mode != OPEN) {
        from = first.at, until = from + (uint64_t)(seconds * (double)second);
        due_measured = replied_measured = 0;
      }
    }
    if (measuring && at >= until) last = take_reading(), measuring = false;
    if (mode == OPEN) dispatch(now());
    if (left == 0 && mode != CHURN) break;
    if (last.at == 0) continue;
    bool rest = in_flight > 0 || (mode == OPEN && dispatched < due_in_all);
    if (!rest || at >= until + grace) break;
  }
  if (first.at == 0) first = take_reading();
  if (last.at == 0) last = take_reading();
  add(&first, &last);
}

static void wait_for_turn(void) {
  for (;;) {
    char byte = '\n';
    ssize_t length = read(STDIN_FILENO, &byte, 1);
    if (length == 0) exit(0); /* whoever gave the turns is gone */
    if (length < 0 && errno != EINTR) die("stdin");
    if (length == 1 && byte == '\n') return;
  }
}

/*
 * The warm-up, and then burst by burst. The server is under load when it begins to be measured, because others had the
 * processor's caches before, and has nothing to do any more when that ends.
 */
static void in_bursts(void) {
  for (int burst = 0; burst <= bursts; burst++) {
    wait_for_turn();
    uint64_t at = now();
    from = at + (uint64_t)((burst == 0 ? warmup : lead) * (double)second);
    until = from + (burst == 0 ? 0 : (uint64_t)(seconds / bursts * (double)second));
    struct reading first = {0}, last;
    begin();
    while (left > 0 || mode == CHURN) {
      at = step(at < from ? from : at < until ? until : UINT64_MAX);
      if (burst > 0 && first.at == 0 && at >= from) first = take_reading(), measuring = true;
      if (at >= until && (in_flight == 0 || at >= until + grace)) break;
    }
    last = take_reading();
    measuring = false;
    if (first.at > 0) add(&first, &last);
    if (burst == bursts) return;
    printf("\n");
    fflush(stdout);
  }
}

int main(int count, char **arguments) {
  read_arguments(count, arguments);
  prepare();
  struct rlimit descriptors;
  if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
    descriptors.rlim_cur = descriptors.rlim_max;
    setrlimit(RLIMIT_NOFILE, &descriptors);
  }
  if (server > 0 && clock_getcpuclockid(server, &server_clock) != 0) refuse("client: there is no process %d", server);
  if (server > 0 && cpu >= 0) interrupts_count = ask_kernel();
  poll_fd = epoll_create1(0);
  connections = calloc((size_t)(many + frozen), sizeof *connections);
  struct moment *moments = calloc((size_t)many * (size_t)deep, sizeof *moments);
  if (poll_fd < 0 || connections == NULL || moments == NULL) die("start");
  for (int index = 0; index < many + frozen; index++) {
    connections[index].socket = -1;
    connections[index].number = (uint32_t)index;
    connections[index].is_frozen = index >= many;
    connections[index].moments = moments + (index < many ? (size_t)index * (size_t)deep : 0);
    if (mode != CHURN || index >= many) open_one(&connections[index]);
  }
  for (int index = many; index < many + frozen; index++) push(&connections[index]);

  if (bursts == 0) in_one_piece();
  else in_bursts();

  uint64_t never = 0;
  for (int index = 0; index < many; index++) never += connections[index].asked - connections[index].answered;
  if (mode == OPEN) never += due_in_all - dispatched;
  if (never > 0) {
    went_wrong("%llu requests were never answered", (unsigned long long)never);
    errors += never - 1;
  }
  print();
  return 0;
}
