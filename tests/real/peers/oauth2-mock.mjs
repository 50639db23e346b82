// oauth2-mock-server, whose answers at /token are as bad as the client's id says.
import { OAuth2Server } from 'oauth2-mock-server';

const server = new OAuth2Server();
await server.issuer.keys.generate('RS256');
const bad = {
  'no-token': (answer) => delete answer.body.access_token,
  'a-number': (answer) => (answer.body.access_token = 7),
  'empty-token': (answer) => (answer.body.access_token = ''),
  'a-list': (answer) => (answer.body = [answer.body]),
  'a-text': (answer) => (answer.body = 'token=1'),
  refused: (answer) => Object.assign(answer, { statusCode: 400, body: { error: 'invalid_client', error_description: 'who?' } }),
  'refused-in-200': (answer) => (answer.body = { error: 'invalid_scope' }),
  unwell: (answer) => Object.assign(answer, { statusCode: 503, body: { error: 'temporarily_unavailable' } }),
  'too-many': (answer) => Object.assign(answer, { statusCode: 429, body: { error: 'slow_down' } }),
  'no-refresh': (answer) => delete answer.body.refresh_token,
  'ended-at-once': (answer) => (answer.body.expires_in = 0),
  'odd-lifetime': (answer) => (answer.body.expires_in = 'soon'),
};
server.service.on('beforeResponse', (answer, request) => {
  const basic = Buffer.from((request.headers.authorization ?? '').replace('Basic ', ''), 'base64').toString();
  const id = request.body.client_id ?? basic.split(':')[0];
  bad[id]?.(answer);
});
await server.start(Number(process.argv[2]), '127.0.0.1');
