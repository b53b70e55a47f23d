// Node-RED without its editor. With PGHOST set, functions find a pool of connections to PostgreSQL.
const { Pool } = require("pg");

module.exports = {
  flowFile: "flows.json",
  httpAdminRoot: false,
  httpNodeRoot: false,
  uiPort: Number(process.env.HTTP_PORT),
  uiHost: "127.0.0.1",
  logging: { console: { level: "warn" } },
  functionGlobalContext: { pool: process.env.PGHOST ? new Pool({ max: 10 }) : null },
};
