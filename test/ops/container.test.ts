import { expect, it } from "vitest"
import { detected, type Surroundings } from "../../ops/container.ts"

const bare: Surroundings = { exists: () => false, read: () => undefined, variable: () => undefined }
const file = (path: string): Surroundings => ({ ...bare, exists: (asked) => asked === path })
const cgroup = (text: string): Surroundings => ({ ...bare, read: () => text })

it.each<[string, Surroundings, boolean]>([
  ["a machine that tells nothing", bare, false],
  ["a machine with control groups", cgroup("0::/init.scope\n"), false],
  ["Docker", file("/.dockerenv"), true],
  ["Podman", file("/run/.containerenv"), true],
  ["Docker by its control group", cgroup("4:memory:/docker/5bd567\n"), true],
  ["a pod by its control group", cgroup("0::/kubepods.slice/kubepods-burstable.slice\n"), true],
  ["a pod", { ...bare, variable: (name) => name === "KUBERNETES_SERVICE_HOST" ? "10.0.0.1" : undefined }, true],
])("%s: %s", (_, surroundings, expected) => expect(detected(surroundings)).toBe(expected))
