// Nothing but being there: says that it has started, and waits for its end.
process.stderr.write("started\n")
setInterval(() => {}, 1_000_000)
