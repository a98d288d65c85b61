// Read before any dependency is installed, under Node 20: plain JavaScript.

/** The mock has as many as SLATE's quota counts (000 §Resource Quotas: requests.nvidia.com/gpu 2). */
export const defaultGpuCount = 2

/** More than a machine holds helps nobody; NVIDIA's largest boards have 16. */
export const mostGpus = 16
