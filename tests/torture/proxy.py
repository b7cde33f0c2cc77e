"""A proxy between one run of finops and the servers. It counts the requests and calls a function at each."""

import asyncio


async def read_message(reader, is_answer=False):
    """Reads a request or an answer. Returns its first line and all its bytes; `None` where the connection ends."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
        first_line, *lines = raw.decode().splitlines()
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if "chunked" in fields.get("transfer-encoding", ""):
            size = 1
            while size:
                line = await reader.readline()
                size = int(line.split(b";")[0], 16)
                raw += line + await reader.readexactly(size + 2)
        elif "content-length" in fields:
            raw += await reader.readexactly(int(fields["content-length"]))
        elif is_answer and first_line.split()[1] not in ("204", "304", "308"):
            raw += await reader.read()
        return first_line, raw
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


class Proxy:
    """Two ports, for storage and BigQuery, for a single run.

    The proxy awaits `before(number)` before it sends a request to its server, and `after(number)` after the server has
    answered. While `is_cut` is set, it forwards neither requests nor answers.
    """

    def __init__(self, servers, before=None, after=None):
        self.servers, self.before, self.after = servers, before, after
        self.requests, self.urls, self.is_cut = [], [], False
        self.listeners, self.connections = [], set()

    async def __aenter__(self):
        for server in self.servers:
            async def serve(reader, writer, server=server):
                self.connections.add(asyncio.current_task())
                try:
                    await self.forward(server, reader, writer)
                except ConnectionError:
                    pass
                finally:
                    writer.close()

            listener = await asyncio.start_server(serve, "127.0.0.1", 0)
            self.listeners.append(listener)
            self.urls.append("http://{}:{}".format(*listener.sockets[0].getsockname()))
        return self

    async def __aexit__(self, *_):
        """Waits, after the end of the run, until the servers have answered all requests."""
        for listener in self.listeners:
            listener.close()
        await asyncio.gather(*self.connections)

    async def forward(self, server, reader, writer):
        server_reader, server_writer = await asyncio.open_connection(*server.removeprefix("http://").split(":"))
        try:
            while request := await read_message(reader):
                first_line, raw = request
                # Without query and version.
                self.requests.append(first_line.split("?")[0].removesuffix(" HTTP/1.1"))
                number = len(self.requests)
                if self.before:
                    await self.before(number)
                if self.is_cut:
                    return
                server_writer.write(raw)
                answer = await read_message(server_reader, is_answer=True)
                if self.after:
                    await self.after(number)
                if self.is_cut or answer is None:
                    return
                writer.write(answer[1])
                await writer.drain()
        finally:
            server_writer.close()
