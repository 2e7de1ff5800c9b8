import { createServer, type ServerHttp2Stream } from 'node:http2';

/** Says SERVING to `grpc.health.v1.Health/Check` on the port that it is told. */
const server = createServer();
server.on('stream', (stream: ServerHttp2Stream) => {
  stream.resume();
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  // A message of two bytes: HealthCheckResponse { status = 1 }.
  stream.end(Buffer.from([0, 0, 0, 0, 2, 0x08, 0x01]));
});
server.listen(Number(process.argv[2]), () => console.log('serving'));
