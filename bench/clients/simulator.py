"""
The client simulator that courses on TCP servers end with, on Python's asyncio: many sessions, each a long connection that
logs in and then asks in a loop, and a report of their latencies as one line of JSON (times in seconds, latencies in
microseconds). It asks `PING` of a server that answers `+PONG`.

    simulator.py PORT SESSIONS SECONDS
"""
import asyncio
import json
import sys
import time


class Report:
    def __init__(self):
        self.sessions = 0
        self.errors = 0
        self.latencies = []


async def session(number, port, seconds, ready, report):
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"LOGIN device-%d\r\n" % number)
        await writer.drain()
        if await reader.readline() != b"+OK\r\n":
            raise ValueError("not logged in")
        report.sessions += 1
    except (OSError, ValueError):
        report.errors += 1
        ready.release()
        return
    ready.release()
    await report.begin.wait()
    end = report.began + seconds
    try:
        while True:
            sent = time.perf_counter()
            if sent >= end:
                break
            writer.write(b"PING\r\n")
            await writer.drain()
            if await reader.readline() != b"+PONG\r\n":
                raise ValueError("not what was asked for")
            report.latencies.append(time.perf_counter() - sent)
    except (OSError, ValueError):
        report.errors += 1
    writer.close()


async def main(port, sessions, seconds):
    report = Report()
    report.begin = asyncio.Event()
    ready = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(session(n, port, seconds, ready, report)) for n in range(sessions)]
    for _ in tasks:
        await ready.acquire()
    report.began = time.perf_counter()
    report.begin.set()
    await asyncio.gather(*tasks)
    took = time.perf_counter() - report.began
    latencies = sorted(report.latencies)
    count = len(latencies)
    print(json.dumps({
        "sessions": report.sessions,
        "messages": count,
        "seconds": took,
        "mean": 1e6 * sum(latencies) / max(1, count),
        "p99": 1e6 * latencies[min(count - 1, int(0.99 * count))] if count > 0 else 0,
        "errors": report.errors,
    }))


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
