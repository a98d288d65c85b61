/** Variable that says that tests go on while Kubernetes still deletes their namespaces. */
export const hurryVariable = 'LOCAL_CLOUD_E2E_HURRY'

/** Whether nobody waits until a namespace is gone, which takes 5 s at least; who says so looks at the end that all are (`sweep`). */
export const hurries = (env: NodeJS.ProcessEnv = process.env): boolean => env[hurryVariable] === '1'
