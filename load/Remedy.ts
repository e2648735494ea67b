/**
 * What each kind of error means, and what to do about it.
 */
import type { Failure, SessionFailure } from "./Recorder.ts"

/** What is known of a kind of error. */
export interface Remedy {
  /** What happened, as a sentence goes on after "12 times". */
  readonly meaning: string
  /** What to do about it. */
  readonly remedy: string
  /** What one of these errors is one of: an attempt to connect, a connection, or a request. */
  readonly of: "connection" | "request"
}

/** Every kind of error but those of sessions, whose names are their authors'. */
export const remedies: { readonly [F in Exclude<Failure, SessionFailure>]: Remedy } = {
  "connect-refused": {
    meaning: "nobody listens at the target, or its queue of new connections is full",
    remedy: "check host and port, and that the server is up; else raise its backlog or connect more slowly",
    of: "connection",
  },
  "connect-timeout": {
    meaning: "no answer to a connection in time",
    remedy: "check the way to the target (a firewall drops silently), its accept queue, or raise --connect-timeout",
    of: "connection",
  },
  "connect-failed": {
    meaning: "a connection could not be made",
    remedy: "check the address, and that this machine and this runtime can connect to such a one",
    of: "connection",
  },
  "connect-unreachable": {
    meaning: "there is no route to the target",
    remedy: "check the address, and the network of this machine",
    of: "connection",
  },
  "connect-denied": {
    meaning: "the system does not let this process connect there",
    remedy: "check the permissions of the user, of a Unix socket's file, and a local firewall",
    of: "connection",
  },
  "handshake-failed": {
    meaning: "the server did not answer a WebSocket's handshake as one",
    remedy: "check path and port, and that it speaks WebSocket there and wants no TLS",
    of: "connection",
  },
  "source-unavailable": {
    meaning: "this machine cannot connect to the target from an address of --source-address",
    remedy: "give addresses of this machine that reach it: 127.0.0.2-127.0.0.9 for a server at 127.0.0.1",
    of: "connection",
  },
  "ports-exhausted": {
    meaning: "this machine has no local port left towards the target; the server is not the limit",
    remedy: "connect from several addresses: --source-address 127.0.0.2-127.0.0.9",
    of: "connection",
  },
  "name-not-found": {
    meaning: "the host name of the target has no address",
    remedy: "check its spelling and this machine's name server, or name the address",
    of: "connection",
  },
  "descriptors-exhausted": {
    meaning: "this process may open no more files; the server is not the limit",
    remedy: "raise the limit in the shell (ulimit -n 65536), or use --processes",
    of: "connection",
  },
  "hello-refused": {
    meaning: "the answer to --hello was another one than expected",
    remedy: "check what is sent and what is expected; the server may limit logins",
    of: "connection",
  },
  "hello-timeout": {
    meaning: "no answer to --hello within the time for connecting",
    remedy: "see that the server answers what is said and expects no more, or raise --connect-timeout",
    of: "connection",
  },
  "closed-by-server": {
    meaning: "the server closed a connection that was in use",
    remedy: "look at its log for the reason: a limit, a timeout, an error of protocol, or a restart",
    of: "connection",
  },
  "reset": {
    meaning: "a connection was cut off without a goodbye",
    remedy: "look whether the server died, or sheds load; a proxy in between may do it too",
    of: "connection",
  },
  "reply-wrong": {
    meaning: "a reply was another one than --expect says, or nobody had asked",
    remedy: "check --expect and --framing with a single request first",
    of: "request",
  },
  "reply-invalid": {
    meaning: "what the server sent is no frame",
    remedy: "check --framing: it has to be that of the server",
    of: "connection",
  },
  "reply-lost": {
    meaning: "a connection ended before a request on it was answered",
    remedy: "what ended it stands beside this: closed-by-server, reset or reply-invalid",
    of: "request",
  },
  "reply-timeout": {
    meaning: "a request had no reply when the run ended",
    remedy: "the server is slower than the load, or does not answer every request: then --expect none",
    of: "request",
  },
  "heartbeat-timeout": {
    meaning: "a heartbeat had no answer when the run ended",
    remedy: "check the answer that --heartbeat names, which may not be that of the server",
    of: "request",
  },
  "close-timeout": {
    meaning: "the server did not close a connection that the client had finished",
    remedy: "see that the server ends a connection when its client has; else its descriptors run out",
    of: "connection",
  },
  "request-unsent": {
    meaning: "a request never left its client: there was no connection in time, or no room",
    remedy:
      "look at what else went wrong; else raise requestTimeout, maxRequests or outbox.most of the module's client",
    of: "request",
  },
  "request-timeout": {
    meaning: "a request was not answered within its client's requestTimeout",
    remedy: "the server is slower than that, or does not answer it: see that the module knows answers by `replies`",
    of: "request",
  },
  "request-given-up": {
    meaning: "a session gave a request up before it was answered",
    remedy: "look at the timeouts and races of the module's session",
    of: "request",
  },
  "login-refused": {
    meaning: "the server refused a login; that client does not try again",
    remedy: "check the names and secrets of the module's handshake; the server may limit logins",
    of: "connection",
  },
  "login-timeout": {
    meaning: "a handshake was not over in its time",
    remedy: "see that the module's handshake waits for what the server says, or raise handshakeTimeout",
    of: "connection",
  },
  "login-failed": {
    meaning: "a handshake failed",
    remedy: "look at what the module's handshake fails with; the server may have closed the connection",
    of: "connection",
  },
  "heartbeat-lost": {
    meaning: "the server was silent for too long, and the client ended the connection",
    remedy: "see that the server answers the heartbeat of the module's client, and is not stuck",
    of: "connection",
  },
  "connection-failed": {
    meaning: "a client ended its connection by one of its limits or deadlines",
    remedy: "look at the limits and deadlines of the module's client",
    of: "connection",
  },
}

const ofSession: Remedy = {
  meaning: "a session of the module failed",
  remedy: "the kind names the error's tag: look for it in the module's session",
  of: "request",
}

/** What is known of a kind of error; of one that is not known, little. */
export const remedy = (kind: string): Remedy =>
  Object.entries(remedies).find(([name]) => name === kind)?.[1] ??
    (kind.startsWith("session-") ? ofSession : undefined) ??
    { meaning: "a kind of error that this version does not know", remedy: "read it with a newer one", of: "request" }
