import { kubernetesOptions } from './options.js'

kubernetesOptions('fake', false)
