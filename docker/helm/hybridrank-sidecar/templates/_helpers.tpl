{{- define "sidecar.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{- define "sidecar.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "sidecar.labels" -}}
{{ include "sidecar.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* What Kubernetes' restricted policy asks of a container, and a file system that nobody writes. */}}
{{- define "sidecar.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* The pods among which pods are spread: those of this release that run the same version. */}}
{{- define "sidecar.spread" -}}
labelSelector:
  matchLabels: {{- include "sidecar.selector" . | nindent 4 }}
matchLabelKeys: [pod-template-hash]
{{- end -}}

{{/* The settings as TOML: numbers and booleans bare, texts and lists in JSON, which TOML reads. */}}
{{- define "sidecar.toml" -}}
{{- range $name, $value := .Values.settings }}
{{ $name }} = {{ if kindIs "float64" $value }}{{ if eq $value (floor $value) }}{{ int64 $value }}{{ else }}{{ $value }}{{ end }}{{ else }}{{ toJson $value }}{{ end }}
{{- end }}
port = 50051
health_port = 50052
http_port = 8080
drain_wait_s = {{ .Values.drainWaitSeconds }}
drain_s = {{ .Values.drainSeconds }}
max_connection_age_s = {{ .Values.maxConnectionAgeSeconds }}
{{- with .Values.security }}
{{- if .keys.secret }}
api_keys = {{ printf "/security/keys/%s" .keys.entry | toJson }}
{{- end }}
{{- if .tls.secret }}
tls_cert = "/security/tls/tls.crt"
tls_key = "/security/tls/tls.key"
{{- end }}
{{- if .clientCa.secret }}
tls_client_ca = "/security/client-ca/ca.crt"
{{- end }}
{{- end }}
{{- if .Values.models.source }}
models = {{ ternary (list "shipped" .Values.models.path) (list .Values.models.path) .Values.models.shipped | toJson }}
{{- end }}
{{- end -}}
