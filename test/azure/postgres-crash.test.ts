import { watchedAzure } from '../harness/azure-watched.js'
import { azuriteSkip } from '../harness/azurite.js'
import { postgresPoints } from '../harness/postgres-store.js'

postgresPoints('Azure Key Vault with a real PostgreSQL behind it', watchedAzure, azuriteSkip, 12)
