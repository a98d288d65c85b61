/** Variable that says that what the tests make stays on the cluster. */
export const keepVariable = 'LOCAL_CLOUD_E2E_KEEP'

/** Whether the tests leave their namespaces and pods for somebody to look at. */
export const keeps = (env: NodeJS.ProcessEnv = process.env): boolean => env[keepVariable] === '1'
