{{/*
Pod specification of a job in SLATE's image: dict
  root, name (the entrypoint's --job), container (its name), account, token (mounted or not), priority, resources,
  env (list, after who the pod is and where the backends answer), volumes (names), waitFor (a job that runs first, as init container).
*/}}
{{- define "slate.jobPod" -}}
serviceAccountName: {{ .account }}
automountServiceAccountToken: {{ .token }}
enableServiceLinks: false
restartPolicy: Never
priorityClassName: {{ .priority | default "slate-standard-priority" }}
{{- include "slate.pullSecrets" .root }}
securityContext:
  {{- include "slate.podSecurity" . | nindent 2 }}
{{- with .waitFor }}
initContainers:
  {{- include "slate.jobContainer" (dict "root" $.root "name" . "container" . "resources" $.resources) | nindent 2 }}
{{- end }}
containers:
  {{- include "slate.jobContainer" . | nindent 2 }}
{{- include "slate.volumes" .volumes }}
{{- end }}

{{- define "slate.jobContainer" -}}
- name: {{ .container }}
  {{- include "slate.image" .root | nindent 2 }}
  command: [node, /app/slate/entrypoint.ts, --job, {{ .name }}]
  env:
    {{- include "slate.podEnv" . | nindent 4 }}
    {{- include "slate.backendEnv" . | nindent 4 }}
    {{- with .env }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  resources:
    {{- include "slate.resources" (list .root .resources) | nindent 4 }}
  securityContext:
    {{- include "slate.containerSecurity" . | nindent 4 }}
  {{- with .volumes }}
  {{- include "slate.volumeMounts" . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* A CronJob: the dict of slate.jobPod without container, and values (schedule, activeDeadlineSeconds, suspend). */}}
{{- define "slate.cronJob" -}}
{{- $name := printf "slate-%s" .name -}}
apiVersion: batch/v1
kind: CronJob
metadata:
  {{- include "slate.workloadMetadata" (list .root $name .name) | nindent 2 }}
spec:
  schedule: {{ .values.schedule | quote }}
  timeZone: Etc/UTC
  concurrencyPolicy: Forbid
  suspend: {{ .values.suspend }}
  startingDeadlineSeconds: 300
  successfulJobsHistoryLimit: 3
  failedJobsHistoryLimit: 3
  jobTemplate:
    metadata:
      labels:
        {{- include "slate.podLabels" (list $name .name) | nindent 8 }}
    spec:
      backoffLimit: 1
      activeDeadlineSeconds: {{ .values.activeDeadlineSeconds }}
      template:
        metadata:
          labels:
            {{- include "slate.podLabels" (list $name .name) | nindent 12 }}
        spec:
          {{- include "slate.jobPod" (merge (dict "container" $name "resources" .root.Values.mlPipeline.resources) .) | nindent 10 }}
{{- end }}

{{/* The Job slate-model-preload: dict root, and optionally hook, which leaves the pods away and adds the annotations of a hook. */}}
{{- define "slate.preloadJob" -}}
{{- $name := "slate-model-preload" }}
{{- $values := .root.Values.mlPipeline -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "slate.workloadMetadata" (list .root $name "model-preload") | nindent 2 }}
  {{- if .hook }}
  annotations:
    helm.sh/hook: pre-upgrade,pre-rollback
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
  {{- end }}
spec:
  {{- if .hook }}
  completions: 0
  parallelism: 0
  {{- end }}
  ttlSecondsAfterFinished: 3600
  backoffLimit: 3
  template:
    metadata:
      labels:
        {{- include "slate.podLabels" (list $name "model-preload") | nindent 8 }}
    spec:
      {{- include "slate.jobPod" (dict
        "root" .root
        "name" "model-preload"
        "container" "model-preloader"
        "account" "slate-agent"
        "token" false
        "resources" $values.resources
        "waitFor" "wait-for-ollama"
        "env" (list
          (dict "name" "SLATE_MODEL_FILES_DIR" "value" "/etc/slate/models")
          (dict "name" "SLATE_BASE_MODELS" "value" $values.baseModels)
        )
        "volumes" (list "model-files")
      ) | nindent 6 }}
{{- end }}
