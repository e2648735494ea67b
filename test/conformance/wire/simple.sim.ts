/** Clients that ask for an echo, each with its number, for the tests of the command line. */
import { Lines } from "anyport"
import { Simulation } from "anyport/load"

export default Simulation.make({
  codec: Lines.make({ maxLength: 1_024 }),
  session: (client, { connection }) => client.request(`from ${connection}`),
})
