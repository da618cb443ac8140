{{/* The labels of a part: a dict with `root` and `part`. */}}
{{- define "penstock.selector" -}}
app.kubernetes.io/name: penstock
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "penstock.labels" -}}
{{ include "penstock.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* A name of at most 63 characters of which Kubernetes makes a host name. */}}
{{- define "penstock.name" -}}
{{ printf "%s-%s" .root.Release.Name (.part | lower | replace "_" "-" | replace "." "-") | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* A deployment: a dict with `root`, `part`, `replicas`, `args`, `port` (0 for none), `ready` and `live` (paths of probes), `resources`. */}}
{{- define "penstock.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "penstock.name" . }}
  labels:
    {{- include "penstock.labels" . | nindent 4 }}
spec:
  replicas: {{ .replicas }}
  selector:
    matchLabels:
      {{- include "penstock.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "penstock.labels" . | nindent 8 }}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 60
      {{- with .root.Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .root.Values.podSecurityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: penstock
          image: {{ .root.Values.image | quote }}
          imagePullPolicy: {{ .root.Values.imagePullPolicy }}
          command: ["penstock"]
          args: {{ toJson .args }}
          envFrom:
            - secretRef:
                name: {{ .root.Values.secret }}
          env:
            - name: PENSTOCK_JOURNALS
              value: /var/lib/penstock
          {{- if .port }}
          ports:
            - name: http
              containerPort: {{ .port }}
          {{- range $probe, $path := dict "readinessProbe" .ready "livenessProbe" .live }}
          {{ $probe }}:
            httpGet:
              path: {{ $path }}
              port: http
              httpHeaders:
                - name: Host
                  value: localhost
            periodSeconds: 10
            failureThreshold: {{ ternary 3 6 (eq $probe "readinessProbe") }}
            timeoutSeconds: 5
          {{- end }}
          {{- end }}
          {{- with .resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          securityContext:
            allowPrivilegeEscalation: false
            capabilities:
              drop: ["ALL"]
          volumeMounts:
            - name: journals
              mountPath: /var/lib/penstock
            - name: temporary
              mountPath: /tmp
      volumes:
        - name: journals
          emptyDir: {}
        - name: temporary
          emptyDir: {}
{{- end }}

{{- define "penstock.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "penstock.name" . }}
  labels:
    {{- include "penstock.labels" . | nindent 4 }}
spec:
  selector:
    {{- include "penstock.selector" . | nindent 4 }}
  ports:
    - name: http
      port: {{ .port }}
      targetPort: http
{{- end }}
