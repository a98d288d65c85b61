{{/* What repeats in network policies. */}}

{{/* Selects the pods of components: list of their labels. */}}
{{- define "slate.components" -}}
matchExpressions:
  - key: app.kubernetes.io/component
    operator: In
    values:
      {{- toYaml . | nindent 6 }}
{{- end }}

{{/* Ports of a rule: list of numbers. */}}
{{- define "slate.tcp" -}}
ports:
  {{- range . }}
  - port: {{ . }}
    protocol: TCP
  {{- end }}
{{- end }}

{{/* Peers of a rule: list of address blocks. */}}
{{- define "slate.blocks" -}}
{{- range . }}
- ipBlock:
    cidr: {{ . }}
{{- end }}
{{- end }}

{{/* All pods of a namespace as a peer: its NAME. */}}
{{- define "slate.namespacePeer" -}}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ . }}
{{- end }}

{{/* Egress rule to the cluster's DNS (000: DNS queries only to kube-system CoreDNS). */}}
{{- define "slate.dnsEgress" -}}
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: kube-system
      podSelector:
        matchLabels:
          k8s-app: kube-dns
  ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
{{- end }}
