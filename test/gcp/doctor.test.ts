import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Keyturn } from '../harness/cli-process.js'
import { GoogleProject } from '../harness/gcp-project.js'
import { repository } from '../harness/repository.js'
import { type RestAnswer, RestDouble, refusal } from '../harness/rest-double.js'

const nameOf = (service: string): string => `projects/p/locations/europe-west1/services/${service}`
type Found = { readonly what: string; readonly level: string; readonly code: string | null; readonly says: string; readonly next: string }

describe('doctor of Google Cloud, as a process', () => {
  let run: RestDouble
  let project: GoogleProject
  let keyturn: Keyturn
  before(async () => {
    run = await RestDouble.open()
    run.answer = ({ path }): RestAnswer => {
      if (path.includes('/keyturn-unseen')) return refusal(403, 'PERMISSION_DENIED')
      const members = [path.includes('/keyturn-open') ? 'allUsers' : 'serviceAccount:tasks@p.iam.gserviceaccount.com']
      return { status: 200, body: path.endsWith('Policy') ? { bindings: [{ role: 'roles/run.invoker', members }] } : {} }
    }
    project = await GoogleProject.open({ 'run.googleapis.com': run.port })
    keyturn = await Keyturn.open(new URL('../../cli/main.js', import.meta.url))
    keyturn.processes = true
    keyturn.env = { ...project.env, NODE_OPTIONS: `--require=${join(repository, 'test/harness/gcp-redirect.cjs')}` }
  })
  after(async () => {
    await keyturn?.close()
    await project?.close()
    await run?.close()
  })
  const doctor = async (functions: string): Promise<readonly Found[]> => {
    const { stdout } = await keyturn.run(['--json', 'doctor', '--store', 'gcp'], { env: { KEYTURN_FUNCTIONS: functions } })
    const { findings } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as { findings: readonly Found[] }
    return findings.filter(({ what }) => what.startsWith('function '))
  }

  it('says which functions everybody may call, and which could not be asked', async () => {
    const found = await doctor(['keyturn-work', 'keyturn-open', 'keyturn-unseen'].map(nameOf).join(' '))
    assert.deepEqual(
      found.map(({ what, level, code }) => [what, level, code]),
      [
        [`function ${nameOf('keyturn-work')}`, 'good', null],
        [`function ${nameOf('keyturn-open')}`, 'wrong', 'bad_config'],
        [`function ${nameOf('keyturn-unseen')}`, 'warning', 'denied'],
      ],
    )
    assert.match(found[1]?.says ?? '', /allUsers has roles\/run\.invoker on it/)
    assert.match(found[1]?.next ?? '', /gcloud run services get-iam-policy keyturn-open --region europe-west1 --project p/)
    assert.match(found[2]?.says ?? '', /run\.services\.get is denied/)
  })

  it('says that a name is none, and asks nobody', async () => {
    run.calls.length = 0
    const [found, ...others] = await doctor('keyturn-work')
    assert.deepEqual([found?.level, found?.code, others.length, run.calls.length], ['wrong', 'bad_config', 0, 0])
    assert.deepEqual(await doctor(''), [])
  })
})
