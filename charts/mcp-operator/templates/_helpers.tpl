{{/* Full name of the objects: room for the suffixes that some of them add. */}}
{{- define "mcp-operator.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "mcp-operator.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "mcp-operator.fullname" .) -}}
{{- end -}}

{{/* Permanent: a Deployment's selector cannot change. The operator puts the same labels into NetworkPolicies. */}}
{{- define "mcp-operator.selectorLabels" -}}
app.kubernetes.io/name: mcp-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "mcp-operator.labels" -}}
{{ include "mcp-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "mcp-operator.image" -}}
{{- $repository := required "image.repository is required: set it to REGISTRY/mcp-operator, built from operator/Dockerfile" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* A map as key=value,key=value, in the order of its keys. */}}
{{- define "mcp-operator.pairs" -}}
{{- $pairs := list -}}
{{- range $key, $value := . -}}
{{- $pairs = append $pairs (printf "%s=%s" $key $value) -}}
{{- end -}}
{{- join "," $pairs -}}
{{- end -}}

{{/*
What the operator may do with the objects of one namespace. Every verb is used; one that is not fails the end-to-end tests.
Secrets are made, and deleted, and never looked at. No get: the operator reads its caches.
*/}}
{{- define "mcp-operator.rules" -}}
- apiGroups: [mcpfoundry.dev]
  resources: [mcpservers]
  verbs: [list, watch]
- apiGroups: [mcpfoundry.dev]
  resources: [mcpservers/status]
  verbs: [patch]
{{- if .Values.rbac.ownerReferencesPermissionEnforcement }}
- apiGroups: [mcpfoundry.dev]
  resources: [mcpservers/finalizers]
  verbs: [update]
{{- end }}
# Children that live as long as the McpServer: the garbage collector removes them.
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [list, watch, create, patch]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [list, watch, create, patch]
# Secrets that the operator makes: the key that seals session ids, and passwords of a managed Redis. Made once, never read, changed or
# listed; deleted by their exact names when nothing uses them any more.
- apiGroups: [""]
  resources: [secrets]
  verbs: [create, delete]
# Children that go earlier: configurations that no ReplicaSet names any more, an Ingress and a Redis that are no longer wanted.
- apiGroups: [""]
  resources: [configmaps, services]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [ingresses, networkpolicies]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [statefulsets]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [list, watch, create, patch, delete]
# What the status says about pods.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
