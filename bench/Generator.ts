/**
 * Who makes the load: a small C client where a compiler is, `anyport load` otherwise. Both do the same work and say the
 * same of it; nothing here decides whether a measurement counts.
 */
import type { RuntimeName } from "./Result.ts"

/** What is asked of a server of loopback. All times in seconds, sizes in bytes. */
export interface Load {
  readonly port: number
  /**
   * `closed`: so many requests in flight on each connection; `open`: a schedule; `churn`: connect, one request, its reply,
   * close, so many at once.
   */
  readonly mode: "closed" | "open" | "churn"
  readonly connections: number
  /** On each connection; in an open run at most. */
  readonly inFlight: number
  /** Of a request, with its LF or its 4 bytes of length. */
  readonly size: number
  readonly framing: "lines" | "length"
  /** What the server puts in front of a line. */
  readonly prefix: string
  /** Requests a second of an open run, of all connections together. */
  readonly rate?: number | undefined
  /** So many connections more, which send requests and never read. Default 0. */
  readonly frozen?: number
  readonly warmup: number
  readonly seconds: number
  /** Whose CPU time is measured, and the CPU that it has for itself. */
  readonly server?: { readonly pid: number; readonly cpu?: number | undefined } | undefined
}

/** Microseconds. */
export interface Percentiles {
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

/** What was measured, of the measured part only. CPU and wall time in seconds. */
export interface Loaded {
  /** Requests that were answered. */
  readonly messages: number
  /** How long the measured part took, exactly. */
  readonly seconds: number
  readonly serverCpu?: number
  readonly generatorCpu: number
  /** What others took on the server's CPU, and what the hypervisor kept of it, where the machine tells. */
  readonly elsewhere?: number
  readonly stolen?: number
  /** Wrong bytes, lost connections, and requests that were never answered; of the warm-up too. */
  readonly errors: number
  /** What went wrong first, in words. */
  readonly problem?: string
  /** Of an open run: requests a second that were due, and that were answered. */
  readonly target?: number
  readonly achieved?: number
  /** From the moment at which a request was due, and from its sending. */
  readonly response?: Percentiles
  readonly service?: Percentiles
}

/** Who makes the load. */
export interface Generator {
  readonly id: "c" | "load"
  /** With its version: `C client (gcc 12.2.0)`. */
  readonly title: string
  /** `cpu`: the only one that it may use. Rejects only when there is no measurement at all. */
  readonly run: (load: Load, options?: { readonly cpu?: number | undefined }) => Promise<Loaded>
}

export interface GeneratorOptions {
  /** The file of Anyport's command line. */
  readonly main: string
}

/** The best generator of this machine, and why it is no better one, if it is not. */
export declare const make: (
  options: GeneratorOptions,
) => Promise<{ readonly generator: Generator; readonly missing: ReadonlyArray<{ name: string; reason: string }> }>

/** One of the simulators that are held against each other: they all ask `PING` of a server that answers `+PONG`. */
export interface Simulator {
  /** `load-node`, `python`, `redis-benchmark`, `c`. */
  readonly id: string
  readonly title: string
  readonly runtime?: RuntimeName
  /** `cpu`: the only one that it may use. */
  readonly run: (
    load: { readonly port: number; readonly connections: number; readonly seconds: number },
    options?: { readonly cpu?: number | undefined },
  ) => Promise<Simulated>
}

/** What a simulator says of itself; times in seconds, latencies in microseconds. */
export interface Simulated {
  /** Connections that were held at once. */
  readonly sessions: number
  readonly messages: number
  readonly seconds: number
  readonly mean: number
  readonly p99: number
  readonly errors: number
  /** Its own, as the system accounts for it. */
  readonly generatorCpu: number
}

/** All simulators of this machine. The server for them is {@link pong}. */
export declare const generators: (
  options: GeneratorOptions,
) => Promise<{ readonly present: ReadonlyArray<Simulator>; readonly missing: ReadonlyArray<{ name: string; reason: string }> }>

/** The command of the server that they all ask: Anyport on Node. */
export declare const pong: (options: GeneratorOptions) => ReadonlyArray<string>
