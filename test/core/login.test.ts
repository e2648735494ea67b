import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as CloseReason from "../../core/CloseReason.ts"
import * as Lines from "../../core/codecs/Lines.ts"
import * as Login from "../../core/Login.ts"
import type { Session } from "../../core/Session.ts"
import type * as Service from "../../core/Service.ts"

const codec = Lines.make({ maxLength: 1_024 })
const hex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")
const fromHex = (text: string): Uint8Array => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16))

const secrets: Readonly<Record<string, string>> = { ann: "secret", bob: "", "": "." }
const find = (id: string) =>
  Effect.succeed(Object.hasOwn(secrets, id) ? { identity: { id }, secret: secrets[id]! } : undefined)

/** What a peer gets to see, and what comes of it, when it says something to each frame that it is sent. */
const meet = <Identity, E>(
  handshake: Service.Handshake<string, string, Identity, E>,
  says: ReadonlyArray<string | undefined | ((received: ReadonlyArray<string>) => Effect.Effect<string>)>,
) =>
  Effect.gen(function* () {
    const received: Array<string> = []
    const left = [...says]
    const connection = {
      receive: Effect.suspend(() => {
        const next = left.shift()
        return typeof next === "function" ? next(received) : Effect.succeed(next)
      }),
      send: (line: string) => Effect.sync(() => void received.push(line)),
    } as unknown as Session<string, string> // all that a handshake uses
    const outcome = yield* Effect.match(handshake.run(connection), {
      onSuccess: (identity) => identity as unknown,
      onFailure: (error) => error as unknown,
    })
    return { received, outcome }
  })

const byToken = Login.token({
  codec,
  read: (line) => {
    const [verb, id, token] = line.split(" ")
    if (verb === "throw") throw new Error("no")
    return verb === "login" ? { id: id ?? "", token: token ?? "" } : undefined
  },
  find,
  welcome: ({ id }) => `welcome ${id}`,
  refusal: "refused",
})

const byChallenge = Login.challenge({
  codec,
  ask: (nonce) => `prove ${hex(nonce)}`,
  read: (line) => {
    const [verb, id, proof] = line.split(" ")
    return verb === "proof" ? { id: id ?? "", proof: fromHex(proof ?? "") } : undefined
  },
  find,
  refusal: "refused",
})

const refused = { _tag: "LoginRefused", reply: "refused" }

describe("a token", () => {
  it.effect("lets in who knows it", () =>
    Effect.gen(function* () {
      expect(yield* meet(byToken, ["login ann secret"])).toEqual({ received: ["welcome ann"], outcome: { id: "ann" } })
    }))

  it.effect.each([
    ["is wrong", "login ann wrong!"],
    ["is only the beginning", "login ann secre"],
    ["is too long", "login ann secret1"],
    ["is missing", "login ann"],
    ["is nobody's", "login eve secret"],
    ["is empty, as the one that is known", "login bob"],
    ["is of an id that nobody has, and what those are compared with", "login eve ."],
    ["is in a frame that is no login", "hello"],
    ["is in a frame that cannot be read", "throw"],
  ])("that %s is refused, and always in the same words", ([, line]) =>
    Effect.gen(function* () {
      const { received, outcome } = yield* meet(byToken, [line])
      expect(received).toEqual([])
      expect(outcome).toMatchObject(refused)
      expect(JSON.stringify(outcome)).not.toContain("secret")
    }))

  it.effect("is refused when the peer has finished without one", () =>
    Effect.gen(function* () {
      expect((yield* meet(byToken, [undefined])).outcome).toMatchObject(refused)
    }))
})

describe("a challenge", () => {
  const answer = (id: string, secret: string) => (received: ReadonlyArray<string>) =>
    Effect.map(
      Login.prove(secret, fromHex(received.at(-1)!.replace("prove ", ""))),
      (proof) => `proof ${id} ${hex(proof)}`,
    )

  it.effect("lets in who proves the secret, which is in no frame; each nonce is another one", () =>
    Effect.gen(function* () {
      const first = yield* meet(byChallenge, [answer("ann", "secret")])
      const second = yield* meet(byChallenge, [answer("ann", "secret")])
      expect([first.outcome, second.outcome]).toEqual([{ id: "ann" }, { id: "ann" }])
      expect(first.received[0]).toMatch(/^prove [0-9a-f]{64}$/)
      expect(first.received[0]).not.toBe(second.received[0])
    }))

  it.effect("refuses a wrong secret, another's id, an answer of before, none at all, and one that is too short", () =>
    Effect.gen(function* () {
      let before = ""
      yield* meet(byChallenge, [(received) =>
        Effect.tap(answer("ann", "secret")(received), (line) => {
          before = line
          return Effect.void
        })])
      for (
        const says of [
          answer("ann", "wrong"),
          answer("eve", "secret"),
          answer("bob", "secret"),
          before,
          "proof ann",
          "proof ann 00",
          "hello",
          undefined,
        ]
      ) {
        expect((yield* meet(byChallenge, [says])).outcome).toMatchObject(refused)
      }
    }))

  it.effect("is HMAC-SHA-256 as in RFC 4231, test case 2", () =>
    Effect.gen(function* () {
      const proof = yield* Login.prove("Jefe", new TextEncoder().encode("what do ya want for nothing?"))
      expect(hex(proof)).toBe("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    }))

  it.effect("fails with the connection's end when that comes first", () =>
    Effect.gen(function* () {
      const cut = () => Effect.fail(CloseReason.peerReset) as unknown as Effect.Effect<string> // receive does
      expect((yield* meet(byChallenge, [cut])).outcome).toMatchObject({ _tag: "PeerReset" })
    }))
})
