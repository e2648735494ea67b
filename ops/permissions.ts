/**
 * What this process may do: Deno's permissions, asked about without ever prompting. Everywhere else all is granted.
 *
 * Deno stops at the first thing that is not granted and asks on the terminal, which looks like a hang; so what can do
 * without a permission asks here first. Nothing here asks the user for one.
 */

/** A permission of Deno: for one thing, or for all of its kind where none is named. */
export type Permission =
  | { readonly name: "net" | "import"; readonly host?: string }
  | { readonly name: "read" | "write" | "ffi"; readonly path?: string }
  | { readonly name: "env"; readonly variable?: string }
  | { readonly name: "sys"; readonly kind?: string }
  | { readonly name: "run"; readonly command?: string }

/** Whether it is granted. What is no permission, such as a host that is no host, is not. */
export const granted = (permission: Permission): boolean => {
  const { Deno } = globalThis as { readonly Deno?: Runtime } // its types are not here
  if (Deno === undefined) return true
  try {
    return Deno.permissions.querySync(permission).state === "granted"
  } catch {
    return false
  }
}

/** The flag that grants it: `--allow-net=127.0.0.1:9000`, or `--allow-net` where nothing is named. */
export const flag = ({ name, ...of }: Permission): string => `--allow-${[name, ...Object.values(of)].join("=")}`

/** Whether every permission is granted for everything, which is what Deno wants to show `/proc`, `/sys` and `/dev`. */
export const everythingGranted = (): boolean => kinds.every((name) => granted({ name }))

const kinds = ["read", "write", "net", "env", "sys", "run", "ffi", "import"] as const

interface Runtime {
  readonly permissions: { querySync(permission: Permission): { readonly state: string } }
}
