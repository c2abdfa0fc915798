import { kubernetesContract } from './contract.js'

kubernetesContract('fake', false)
