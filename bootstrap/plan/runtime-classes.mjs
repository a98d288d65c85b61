// Read before any dependency is installed, under Node 20: plain JavaScript.

/** RuntimeClasses that `--runtime-class` can ask for: each is the feature (`when`) of the add-on that brings it. */
export const runtimeClassNames = /** @type {const} */ (['gvisor'])

/** @typedef {typeof runtimeClassNames[number]} RuntimeClassName */
