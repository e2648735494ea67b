/**
 * `listen` and `connect` on TCP addresses: what they name, and the problem of each that cannot be had. Unix sockets are
 * in `unix.ts`.
 */
import * as Effect from "effect/Effect"
import * as Address from "../../../core/Address.ts"
import { Sockets } from "../../../core/Sockets.ts"
import * as Case from "./Case.ts"
import { attached, connect, expect, finishBoth, listen, named, portOf, problem } from "./harness.ts"

/** The cases of TCP addresses. Paths that nobody has permission for are in `directory`. */
export const addresses = (directory: string): ReadonlyArray<Case.Case> => [
  Case.make(
    0,
    "port 0 is answered with the port that was chosen, and both ends know it",
    () =>
      Effect.gen(function* () {
        const bound = yield* listen()
        yield* expect(portOf(bound.address) > 0, `bound ${named(bound.address)}`)
        const ends = yield* attached(bound)
        const { client, server } = ends
        const same = (a: Address.Address | undefined, b: Address.Address | undefined) => named(a) === named(b)
        yield* expect(
          same(client.transport.remoteAddress, bound.address),
          `peer ${named(client.transport.remoteAddress)}`,
        )
        yield* expect(same(server.transport.localAddress, bound.address), `own ${named(server.transport.localAddress)}`)
        yield* expect(
          same(client.transport.localAddress, server.transport.remoteAddress),
          "the ends do not know each other",
        )
        yield* finishBoth(ends)
      }),
  ),

  Case.make(0, "a second bind is AddressInUse [d5-11]", () =>
    Effect.gen(function* () {
      const bound = yield* listen()
      yield* problem("AddressInUse", listen(bound.address))
      yield* finishBoth(yield* attached(bound))
    })),

  Case.make(0, "what is no address is InvalidAddress, to listen and to connect", () =>
    Effect.gen(function* () {
      for (const address of [Address.tcp("127.0.0.1", 70_000), Address.tcp("", 0)]) {
        yield* problem("InvalidAddress", listen(address))
        yield* problem("InvalidAddress", connect(address))
      }
    })),

  Case.make(
    0,
    "an address of another machine is AddressUnavailable",
    () => problem("AddressUnavailable", listen(Address.tcp("192.0.2.1", 0))).pipe(Effect.asVoid),
    { area: "system" },
  ),

  Case.make(
    0,
    "a name that nobody has is NameNotFound to connect and InvalidAddress to listen",
    () =>
      Effect.gen(function* () {
        yield* problem("NameNotFound", connect(Address.tcp("nobody.invalid", 9)))
        yield* problem("InvalidAddress", listen(Address.tcp("nobody.invalid", 0)))
      }),
    { area: "system" },
  ),

  Case.make(0, "what the process has no permission for is PermissionDenied", () =>
    Effect.gen(function* () {
      for (
        const address of [Address.tcp("127.0.0.2", 9), Address.tcp("::", 9), Address.unix(`${directory}/denied.sock`)]
      ) {
        yield* problem("PermissionDenied", listen(address))
        yield* problem("PermissionDenied", connect(address))
      }
    }), { area: "denied" }),

  Case.make(
    0,
    "a descriptor that is no listening socket is InvalidDescriptor, or Unsupported where none is taken over",
    () =>
      Effect.gen(function* () {
        const { capabilities, listen } = yield* Sockets
        for (const descriptor of [2, 99_999]) {
          yield* problem(
            capabilities.adoptDescriptor ? "InvalidDescriptor" : "Unsupported",
            listen({ address: Address.tcp("127.0.0.1", 0), descriptor }, (transport) => transport.abort()),
          )
        }
      }),
  ),

  Case.make(
    0,
    "a server sees the address that its client chose to connect from",
    () =>
      Effect.gen(function* () {
        const bound = yield* listen()
        for (const source of ["127.0.0.2", "127.0.0.9"]) {
          const client = yield* connect({ address: bound.address, source })
          const server = yield* bound.next
          const { remoteAddress } = server.transport
          yield* expect(remoteAddress?._tag === "Tcp" && remoteAddress.host === source, `peer ${named(remoteAddress)}`)
          yield* expect(
            named(client.transport.localAddress) === named(remoteAddress),
            "the ends do not know each other",
          )
          client.attach()
          server.attach()
          yield* finishBoth({ client, server })
        }
      }),
    { needs: "bindSource" },
  ),

  Case.make(
    0,
    "a source that this machine has not, or of another family, is InvalidSource, or Unsupported where none is chosen",
    () =>
      Effect.gen(function* () {
        const { capabilities } = yield* Sockets
        const { address } = yield* listen()
        const wanted = capabilities.bindSource ? "InvalidSource" : "Unsupported"
        for (const source of ["192.0.2.1", "nonsense", "::1"]) {
          yield* problem(wanted, connect({ address, source }))
        }
        // Nobody listens there, and that is not what is said.
        yield* problem(wanted, connect({ address: Address.unix(`${directory}/source.sock`), source: "127.0.0.2" }))
      }),
  ),

  Case.make(0, "connecting where nobody listens is Refused", () =>
    Effect.gen(function* () {
      const address = yield* Effect.scoped(Effect.map(listen(), (bound) => bound.address))
      yield* problem("Refused", connect(address))
    })),
]
