// Nothing but being there: says that it has started, as a server says that it listens, and waits for its end.
process.stderr.write('{"message":"listening","address":"nowhere:0"}\n')
setInterval(() => {}, 1_000_000)
