import { watchedGcp } from '../harness/gcp-watched.js'
import { postgresPoints } from '../harness/postgres-store.js'

postgresPoints('Google Secret Manager with a real PostgreSQL behind it', watchedGcp, false, 12)
