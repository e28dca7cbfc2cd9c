// A strict OpenID provider with one client and PKCE required. It prints its issuer when it answers.
// node provider.js PORT REDIRECT_URI
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const server = createServer();
server.listen(Number(process.argv[2]), '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id: 'whodid', client_secret: 'between us', redirect_uris: [process.argv[3]] }],
    claims: { profile: ['name', 'preferred_username'], email: ['email', 'email_verified'], groups: ['groups'] },
    scopes: ['openid', 'profile', 'email', 'groups'],
    pkce: { required: () => true },
    features: { devInteractions: { enabled: true } },
    findAccount: (_, sub) => ({
      accountId: sub,
      claims: () => ({
        sub, name: `Name of ${sub}`, preferred_username: `${sub}-login`, groups: ['from the provider'],
        email: `${sub}@example.com`, email_verified: true,
      }),
    }),
  });
  server.on('request', provider.callback());
  console.log(issuer);
});
