// Package ext declares the extension points that Traefik's own module leaves out of its archive.
package ext

// HTTP is an empty extension point of the HTTP configuration.
type HTTP struct{}

// Router is an empty extension point of a router.
type Router struct{}

// DeepCopyInto copies the empty value.
func (in *HTTP) DeepCopyInto(out *HTTP) { *out = *in }

// DeepCopyInto copies the empty value.
func (in *Router) DeepCopyInto(out *Router) { *out = *in }
