const http = require('node:http');

function greet(request, response) {
  const name = new URL(request.url, 'http://localhost').searchParams.get('name') ?? 'devloop';
  const greeting = `Hello, ${name}`;
  response.end(`${greeting}\n`); // a line for a breakpoint
}

function serve(request, response) {
  if (request.url === '/healthz') return response.end();
  return greet(request, response);
}

http.createServer(serve).listen(8080, () => console.log('listening on :8080'));
