/** What a cluster may be called: an RFC 1123 label of at most 32 characters, so that node names made of it stay below 63. */
export const clusterName = /^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$/
