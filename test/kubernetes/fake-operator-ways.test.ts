import { kubernetesOperatorWays } from './operator-ways.js'

kubernetesOperatorWays('fake', false)
