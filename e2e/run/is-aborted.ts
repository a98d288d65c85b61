/** Whether the signal has come by now: a call, because the type checker does not see an abort between two looks. */
export const isAborted = (signal: AbortSignal): boolean => signal.aborted
