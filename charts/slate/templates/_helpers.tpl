{{/* What repeats in SLATE's objects. Helpers that need more than one thing take a list, the root context first. */}}

{{/* Labels of every object (specification 000, Kustomization Base). */}}
{{- define "slate.labels" -}}
app.kubernetes.io/managed-by: slate
app.kubernetes.io/part-of: slate-system
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
slate.io/network-policy: deny-all-default
slate.io/security-policy: restricted
{{- end }}

{{/* Labels of the pods of one workload, and of the workload itself: list NAME COMPONENT. */}}
{{- define "slate.podLabels" -}}
{{ include "slate.selector" . }}
app.kubernetes.io/part-of: slate-system
{{- end }}

{{/* What a Deployment selects: list NAME COMPONENT. */}}
{{- define "slate.selector" -}}
app.kubernetes.io/name: {{ index . 0 }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Metadata of a namespaced object: list ROOT NAME, and optionally further labels. */}}
{{- define "slate.metadata" -}}
{{- $root := index . 0 -}}
name: {{ index . 1 }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "slate.labels" $root | nindent 2 }}
  {{- range $key, $value := slice . 2 | first | default dict }}
  {{ $key }}: {{ $value }}
  {{- end }}
{{- end }}

{{/* Metadata of a workload: list ROOT NAME COMPONENT, and optionally what the pods need that others bring, `Secret/NAME`. */}}
{{- define "slate.workloadMetadata" -}}
{{- $labels := dict "app.kubernetes.io/name" (index . 1) "app.kubernetes.io/component" (index . 2) -}}
{{ include "slate.metadata" (list (index . 0) (index . 1) $labels) }}
{{- with slice . 3 | first }}
annotations:
  local-cloud.io/external: {{ . }}
{{- end }}
{{- end }}

{{/* Metadata of an object that belongs to the cluster: list ROOT NAME. */}}
{{- define "slate.clusterMetadata" -}}
name: {{ index . 1 }}
labels:
  {{- include "slate.labels" (index . 0) | nindent 2 }}
{{- end }}

{{/* Security of the pods of SLATE's own services (000, Pod Security Standards). */}}
{{- define "slate.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* The same for Ollama and ChromaDB, which need root (000, Exceptions). */}}
{{- define "slate.rootPodSecurity" -}}
runAsNonRoot: false
runAsUser: 0
runAsGroup: 1000
fsGroup: 1000
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "slate.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: false
capabilities:
  drop: [ALL]
{{- end }}

{{/* The three probes of a container, with the timings of 000, Health Probes: PATH. */}}
{{- define "slate.probes" -}}
startupProbe:
  httpGet:
    path: {{ . }}
    port: http
  initialDelaySeconds: 10
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 30
livenessProbe:
  httpGet:
    path: {{ . }}
    port: http
  initialDelaySeconds: 30
  periodSeconds: 30
  timeoutSeconds: 10
readinessProbe:
  httpGet:
    path: {{ . }}
    port: http
  initialDelaySeconds: 5
  periodSeconds: 10
  timeoutSeconds: 5
  successThreshold: 1
{{- end }}

{{/* Who a pod is. */}}
{{- define "slate.podEnv" -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: NODE_NAME
  valueFrom:
    fieldRef:
      fieldPath: spec.nodeName
{{- end }}

{{/* Where Ollama and ChromaDB answer. */}}
{{- define "slate.backendEnv" -}}
- name: OLLAMA_HOST
  valueFrom:
    configMapKeyRef:
      name: slate-dashboard-config
      key: OLLAMA_HOST
- name: CHROMADB_HOST
  valueFrom:
    configMapKeyRef:
      name: slate-dashboard-config
      key: CHROMADB_HOST
{{- end }}

{{/* SLATE's own image. */}}
{{- define "slate.image" -}}
image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end }}

{{/* Secrets for the registry, as a field of the pod; nothing when there are none. */}}
{{- define "slate.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Requests and limits; without GPUs when gpu.enabled is false: list ROOT RESOURCES. */}}
{{- define "slate.resources" -}}
{{- $root := index . 0 }}
{{- $resources := index . 1 }}
{{- if not $root.Values.gpu.enabled }}
{{- $without := dict }}
{{- range $kind, $amounts := $resources }}
{{- $_ := set $without $kind (omit $amounts "nvidia.com/gpu") }}
{{- end }}
{{- $resources = $without }}
{{- end }}
{{- toYaml $resources }}
{{- end }}

{{/*
What SLATE's pods mount, by name: the path, and the claim or the ConfigMap behind it. ConfigMaps are mounted read-only, claims as well
when the name ends in `:ro`.
*/}}
{{- define "slate.volumeCatalogue" -}}
workspace: { path: /slate/workspace, claim: slate-workspace-pvc }
data: { path: /slate/data, claim: slate-data-pvc }
memory: { path: /slate/memory, claim: slate-memory-pvc }
dashboard-entrypoint: { path: /etc/slate/dashboard, configMap: slate-dashboard-entrypoint }
agent-config: { path: /etc/slate/agents, configMap: slate-agent-config }
instructions: { path: /etc/slate/instructions, configMap: slate-instructions }
tech-tree: { path: /etc/slate/tech-tree, configMap: slate-tech-tree }
model-files: { path: /etc/slate/models, configMap: slate-model-files }
{{- end }}

{{/* List of names of the catalogue → volumeMounts of a container. */}}
{{- define "slate.volumeMounts" -}}
{{- $catalogue := include "slate.volumeCatalogue" . | fromYaml }}
volumeMounts:
  {{- range . }}
  {{- $name := trimSuffix ":ro" . }}
  {{- $volume := get $catalogue $name }}
  - name: {{ $name }}
    mountPath: {{ $volume.path }}
    {{- if or $volume.configMap (hasSuffix ":ro" .) }}
    readOnly: true
    {{- end }}
  {{- end }}
{{- end }}

{{/* List of names of the catalogue → volumes of a pod. */}}
{{- define "slate.volumes" -}}
{{- $catalogue := include "slate.volumeCatalogue" . | fromYaml }}
volumes:
  {{- range . }}
  {{- $name := trimSuffix ":ro" . }}
  {{- $volume := get $catalogue $name }}
  - name: {{ $name }}
    {{- with $volume.claim }}
    persistentVolumeClaim:
      claimName: {{ . }}
    {{- end }}
    {{- with $volume.configMap }}
    configMap:
      name: {{ . }}
    {{- end }}
  {{- end }}
{{- end }}

{{/* A ClusterIP Service: dict root, name, component, ports (name → number); optionally selector, else the component. */}}
{{- define "slate.service" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "slate.metadata" (list .root .name (dict "app.kubernetes.io/component" .component)) | nindent 2 }}
spec:
  type: ClusterIP
  selector:
    {{- toYaml (.selector | default (dict "app.kubernetes.io/component" .component)) | nindent 4 }}
  ports:
    {{- range $name, $port := .ports }}
    - name: {{ $name }}
      port: {{ $port }}
      targetPort: {{ $name }}
      protocol: TCP
    {{- end }}
{{- end }}

{{/*
Replicas of a Deployment: dict root, name, values. With an autoscaler and an installed Deployment the number that the autoscaler gave it,
because an upgrade must neither reset that nor fight over the field; else what the values say.
*/}}
{{- define "slate.replicas" -}}
{{- $replicas := .values.replicas }}
{{- if .values.autoscaling.enabled }}
{{- $live := lookup "apps/v1" "Deployment" .root.Release.Namespace .name }}
{{- $replicas = dig "spec" "replicas" 0 $live | int | default $replicas }}
{{- end }}
{{- $replicas }}
{{- end }}

{{/* A HorizontalPodAutoscaler: dict root, name, deployment, values (the autoscaling block). */}}
{{- define "slate.autoscaler" -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "slate.metadata" (list .root .name) | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ .deployment }}
  minReplicas: {{ .values.minReplicas }}
  maxReplicas: {{ .values.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ .values.targetCPUUtilizationPercentage }}
    - type: Resource
      resource:
        name: memory
        target:
          type: Utilization
          averageUtilization: {{ .values.targetMemoryUtilizationPercentage }}
  {{- with .values.behavior }}
  behavior:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* A PodDisruptionBudget of one pod: dict root, name, selector. */}}
{{- define "slate.disruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "slate.metadata" (list .root .name) | nindent 2 }}
spec:
  minAvailable: 1
  selector:
    matchLabels:
      {{- toYaml .selector | nindent 6 }}
{{- end }}

{{/* A claim: dict root, name, values (size, storageClass), optionally volume, the name of its PersistentVolume. */}}
{{- define "slate.claim" -}}
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  {{- include "slate.metadata" (list .root .name) | nindent 2 }}
  {{- if .root.Values.storage.keep }}
  annotations:
    helm.sh/resource-policy: keep
  {{- end }}
spec:
  accessModes: [ReadWriteOnce]
  {{- if .volume }}
  storageClassName: ''
  volumeName: {{ .volume }}
  {{- else if kindIs "string" .values.storageClass }}
  storageClassName: {{ .values.storageClass | quote }}
  {{- end }}
  resources:
    requests:
      storage: {{ .values.size }}
{{- end }}

{{/* slate-ACCOUNT-binding, which gives slate-ACCOUNT the role slate-ACCOUNT-role: list ROOT ACCOUNT. */}}
{{- define "slate.roleBinding" -}}
{{- $root := index . 0 }}
{{- $account := index . 1 -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  {{- include "slate.metadata" (list $root (printf "slate-%s-binding" $account)) | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: slate-{{ $account }}-role
subjects:
  - kind: ServiceAccount
    name: slate-{{ $account }}
    namespace: {{ $root.Release.Namespace }}
{{- end }}

{{/* Levels of Pod Security of the namespace (000, Namespace Configuration). */}}
{{- define "slate.podSecurityLevels" -}}
pod-security.kubernetes.io/enforce: baseline
pod-security.kubernetes.io/audit: restricted
pod-security.kubernetes.io/warn: restricted
{{- end }}

{{/* agent-routing.yaml: the agents and rules of the values. A rule or default that names no agent is an error. */}}
{{- define "slate.agentRouting" -}}
{{- with .Values.agenticSystem -}}
# Which agent gets a task: the rule with the most matching words wins, without a match the default agent.
default: {{ include "slate.agent" (list . "agenticSystem.routing.default" .routing.default) }}
agents:
  {{- range $name, $agent := .agents }}
  {{ $name }}: { role: {{ $agent.role }}, model: {{ $agent.model }} }
  {{- end }}
rules:
  {{- range .routing.rules }}
  - name: {{ .name }}
    agent: {{ include "slate.agent" (list $.Values.agenticSystem (printf "the rule %s" .name) .agent) }}
    anyOf: [{{ join ", " .anyOf }}]
  {{- end }}
{{- end }}
{{- end }}

{{/* The name of an agent that exists: list AGENTIC-SYSTEM WHO-NAMES-IT NAME. */}}
{{- define "slate.agent" -}}
{{- if not (hasKey (index . 0).agents (index . 2)) }}
{{- fail (printf "%s names the agent %s, which agenticSystem.agents does not have" (index . 1) (index . 2)) }}
{{- end }}
{{- index . 2 }}
{{- end }}
