import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';
import { hostname } from 'node:os';

/**
 * Says the name of its pod on ports given as `http:8080` and `udp:8081`. Over HTTP `/clientip` says who asks instead; every
 * request goes to the log.
 */
for (const argument of process.argv.slice(2)) {
  const [protocol = '', port = ''] = argument.split(':');
  if (protocol === 'udp') {
    const socket = createSocket('udp4');
    socket.on('message', (_, { address, port: from }) => socket.send(hostname(), from, address));
    socket.bind(Number(port));
  } else {
    const server = createServer((request, response) => {
      console.log(`${request.method} ${request.url}`);
      const { remoteAddress = '' } = request.socket;
      const isAboutClient = request.url === '/clientip';
      response.end(isAboutClient ? remoteAddress.replace('::ffff:', '') : hostname());
    });
    server.listen(Number(port));
  }
}
