{{/*
The Deployment of one of SLATE's own services, all of which run the same image: dict
  root, name, component, service (the entrypoint's --service), ports (name → number), replicas, resources, priority;
  single (one writer: the old pod goes before the new one comes), scrape (port for Prometheus), spread (over nodes),
  config (the whole slate-dashboard-config as environment, else only the hosts of the backends), env (list), secret (`Secret/NAME`, that the
  environment names and the chart need not have), volumes (names).
*/}}
{{- define "slate.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "slate.workloadMetadata" (list .root .name .component .secret) | nindent 2 }}
spec:
  replicas: {{ .replicas }}
  revisionHistoryLimit: 5
  strategy:
    {{- if .single }}
    type: Recreate
    {{- else }}
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
    {{- end }}
  selector:
    matchLabels:
      {{- include "slate.selector" (list .name .component) | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "slate.podLabels" (list .name .component) | nindent 8 }}
      {{- with .scrape }}
      annotations:
        prometheus.io/scrape: 'true'
        prometheus.io/port: {{ . | quote }}
        prometheus.io/path: /metrics
      {{- end }}
    spec:
      serviceAccountName: slate-core
      enableServiceLinks: false
      priorityClassName: {{ .priority }}
      {{- include "slate.pullSecrets" .root | nindent 6 }}
      securityContext:
        {{- include "slate.podSecurity" . | nindent 8 }}
      {{- if .spread }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              app.kubernetes.io/name: {{ .name }}
      {{- end }}
      containers:
        - name: {{ .name }}
          {{- include "slate.image" .root | nindent 10 }}
          command: [node, /app/slate/entrypoint.ts, --service, {{ .service }}]
          ports:
            {{- range $name, $port := .ports }}
            - name: {{ $name }}
              containerPort: {{ $port }}
            {{- end }}
          {{- if .config }}
          envFrom:
            - configMapRef:
                name: slate-dashboard-config
          {{- end }}
          env:
            {{- include "slate.podEnv" . | nindent 12 }}
            {{- if not .config }}
            {{- include "slate.backendEnv" . | nindent 12 }}
            {{- end }}
            {{- with .env }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          resources:
            {{- include "slate.resources" (list .root .resources) | nindent 12 }}
          {{- include "slate.probes" "/health" | nindent 10 }}
          securityContext:
            {{- include "slate.containerSecurity" . | nindent 12 }}
          {{- include "slate.volumeMounts" .volumes | nindent 10 }}
      {{- include "slate.volumes" .volumes | nindent 6 }}
{{- end }}
