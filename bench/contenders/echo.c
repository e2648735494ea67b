/*
 * A line echo as tight as C has it: one thread, epoll, one recv and one send for a chunk. Lines are found and answered one by
 * one; there is no text to decode. Partial reads and writes, lines split between chunks and half-closes are right; a reader
 * that is slow is not read from until it has taken what waits for it. No limit, no deadline.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 1 << 16, EVENTS = 256, PREFIX = 6 };

/* Bytes that wait: the beginning of a line, or replies that the kernel has not taken. */
struct bytes {
  char *data;
  size_t length, room;
};

struct connection {
  int socket;
  bool waits; /* for room to send */
  struct bytes rest, unsent;
};

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void append(struct bytes *bytes, const char *data, size_t length) {
  if (bytes->length + length > bytes->room) {
    bytes->room = 2 * (bytes->length + length);
    bytes->data = realloc(bytes->data, bytes->room);
    if (bytes->data == NULL) die("realloc");
  }
  memcpy(bytes->data + bytes->length, data, length);
  bytes->length += length;
}

static int poll_fd;
static struct bytes replies;

static void end(struct connection *connection) {
  close(connection->socket);
  free(connection->rest.data);
  free(connection->unsent.data);
  free(connection);
}

static void watch(struct connection *connection, int operation, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = connection};
  if (epoll_ctl(poll_fd, operation, connection->socket, &event) < 0) die("epoll_ctl");
}

static void answer(const char *line, size_t length) {
  append(&replies, "echo: ", PREFIX);
  append(&replies, line, length);
}

/* Answers what ends a line here, and keeps what does not. */
static void receive(struct connection *connection, const char *data, size_t length) {
  const char *stop = data + length;
  replies.length = 0;
  for (const char *found; (found = memchr(data, '\n', (size_t)(stop - data))) != NULL; data = found + 1) {
    if (connection->rest.length == 0) {
      answer(data, (size_t)(found + 1 - data));
      continue;
    }
    append(&connection->rest, data, (size_t)(found + 1 - data));
    answer(connection->rest.data, connection->rest.length);
    connection->rest.length = 0;
  }
  if (data < stop) append(&connection->rest, data, (size_t)(stop - data));
}

static void send_out(struct connection *connection, const char *data, size_t length, bool kept) {
  ssize_t taken = send(connection->socket, data, length, MSG_NOSIGNAL);
  if (taken < 0 && errno != EAGAIN && errno != EINTR) return end(connection);
  size_t sent = taken < 0 ? 0 : (size_t)taken;
  if (kept) {
    memmove(connection->unsent.data, data + sent, length - sent);
    connection->unsent.length = length - sent;
  } else if (sent < length) {
    append(&connection->unsent, data + sent, length - sent);
  }
  bool waits = connection->unsent.length > 0;
  if (waits != connection->waits) watch(connection, EPOLL_CTL_MOD, waits ? EPOLLOUT : EPOLLIN);
  connection->waits = waits;
}

static void happened(struct connection *connection, uint32_t events) {
  static char chunk[CHUNK];
  if (connection->waits) {
    if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) return;
    send_out(connection, connection->unsent.data, connection->unsent.length, true);
    return;
  }
  ssize_t length = recv(connection->socket, chunk, CHUNK, 0);
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (length <= 0) return end(connection);
  receive(connection, chunk, (size_t)length);
  if (replies.length > 0) send_out(connection, replies.data, replies.length, false);
}

static void accept_one(int listener) {
  int on = 1, socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  if (socket < 0) return;
  struct connection *connection = calloc(1, sizeof *connection);
  if (connection == NULL) die("calloc");
  connection->socket = socket;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  watch(connection, EPOLL_CTL_ADD, EPOLLIN);
}

int main(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = 0};
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  poll_fd = epoll_create1(0);
  if (listener < 0 || poll_fd < 0 || bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, 511) < 0 ||
      getsockname(listener, (struct sockaddr *)&address, &length) < 0) {
    die("listen");
  }
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &event) < 0) die("epoll_ctl");
  fprintf(stderr, "{\"message\":\"listening\",\"address\":\"127.0.0.1:%d\"}\n", ntohs(address.sin_port));
  for (;;) {
    struct epoll_event events[EVENTS];
    int found = epoll_wait(poll_fd, events, EVENTS, -1);
    if (found < 0 && errno != EINTR) die("epoll_wait");
    for (int index = 0; index < found; index++) {
      if (events[index].data.ptr == NULL) accept_one(listener);
      else happened(events[index].data.ptr, events[index].events);
    }
  }
}
