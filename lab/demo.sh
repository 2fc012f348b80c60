#!/bin/bash
# The main job of Herald, shown on a real cluster on this machine: a Service of
# type LoadBalancer gets an address that a host outside the cluster reaches,
# and keeps it when the node that announces it is cut off.
#
#   DEMO_LAB  the name of the lab (demo); it is left running at the end
set -euo pipefail
cd "$(dirname "$0")/.."

name=${DEMO_LAB:-demo}
lab() { build/lab "$1" --name "$name" "${@:2}"; }
kubectl() { build/lab kubectl --name "$name" -- "$@"; }
started=$SECONDS

say() { printf '\n\033[1m== %s\033[0m  (%d s)\n' "$*" $((SECONDS - started)); }
show() { printf '$ %s\n' "$*"; "$@"; }
fail() { printf 'demo: %s\n' "$*" >&2; exit 1; }

# until_true SECONDS WHAT COMMAND...: waits until COMMAND succeeds.
until_true() {
  local limit=$1 what=$2 end=$((SECONDS + $1)); shift 2
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || fail "$what: not within $limit s"
    sleep 0.2
  done
}

# holders ADDRESS: the hosts that answer ARP requests of the client, a line each.
holders() { lab arping --from client --ip "$1" | awk '/ answers,/ && $3+0 > 0 { sub(":", "", $2); print $2 }'; }
one_holder() { [ "$(holders "$1" | wc -l)" = 1 ]; }
moved() { one_holder "$1" && [ "$(holders "$1")" != "$2" ]; }

command -v curl >/dev/null || { apt-get update -q && apt-get install -y -q --no-install-recommends curl; }

say "A cluster of three nodes and a client outside it, with Herald installed from manifests/install.yaml"
lab up --nodes 3
kubectl delete --ignore-not-found --wait=true service/web deployment/web ipaddresspool/demo l2advertisement/demo >/dev/null 2>&1 || true
for node in node1 node2 node3; do lab heal "$node" >/dev/null; done
show kubectl -n herald-system get pods -o wide

say "A Deployment and a Service of type LoadBalancer, and no pool yet: the Service is pending, and says why"
client=$(lab exec client -- ip -4 -o addr show dev eth0 | awk '{ split($4, a, "/"); print a[1] }')
network=${client%.*}
kubectl apply -f - <<YAML
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: heraldlb.io/echo:dev
        imagePullPolicy: IfNotPresent
        env: [{name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]
        readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
YAML
kubectl rollout status deployment/web --timeout=120s
reason() { kubectl get service web -o jsonpath='{.status.conditions[?(@.type=="heraldlb.io/AddressAssigned")].message}' | grep .; }
until_true 30 "a reason in the Service's condition" reason
show kubectl get service web
echo "why: $(reason)"

say "A pool of addresses and an advertisement: the Service gets an address"
kubectl get service web --watch --no-headers & watch=$!
kubectl apply -f - <<YAML
apiVersion: heraldlb.io/v1beta1
kind: IPAddressPool
metadata: {name: demo}
spec: {addresses: ["$network.100-$network.149"]}
---
apiVersion: heraldlb.io/v1beta1
kind: L2Advertisement
metadata: {name: demo}
spec: {}
YAML
address() { kubectl get service web -o jsonpath='{.status.loadBalancer.ingress[0].ip}' | grep .; }
until_true 30 "an address" address
ip=$(address)
sleep 0.3; kill "$watch" 2>/dev/null || true; wait "$watch" 2>/dev/null || true
show kubectl get service web
show kubectl get ipaddresspools

say "A client outside the cluster reaches it"
until_true 30 "an answer from http://$ip/" lab exec client -- curl -sf --max-time 2 "http://$ip/"
show lab exec client -- curl -s "http://$ip/"

say "Which node answers ARP for $ip? Asked on the wire, from the client"
until_true 30 "exactly one node that answers" one_holder "$ip"
show lab arping --from client --ip "$ip"
holder=$(holders "$ip")
show kubectl get speakerstatuses

say "Cut $holder off, while the client connects every 10 ms"
# Pods behind the Service move off that node first: what is shown is how fast
# the address moves, not how fast Kubernetes notices dead pods.
kubectl patch deployment web --type merge -p "{\"spec\":{\"template\":{\"spec\":{\"affinity\":{\"nodeAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":{\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":\"kubernetes.io/hostname\",\"operator\":\"NotIn\",\"values\":[\"$holder\"]}]}]}}}}}}}"
kubectl rollout status deployment/web --timeout=120s
gone() { ! kubectl get endpointslices -l kubernetes.io/service-name=web -o jsonpath='{.items[*].endpoints[*].nodeName}' | grep -q "$holder"; }
until_true 60 "no pod behind the Service on $holder" gone
sleep 2 # kube-proxy writes its rules at most once a second
report=$(mktemp)
lab probe --from client --url "http://$ip/" --every 10ms --for 8s --timeout 1s >"$report" & probe=$!
sleep 1
show lab cut "$holder"
until_true 30 "another node that answers" moved "$ip" "$holder"
show lab arping --from client --ip "$ip"
wait "$probe"
cat "$report"; rm -f "$report"

say "$holder comes back"
show lab heal "$holder"
until_true 30 "exactly one node that answers" one_holder "$ip"
show lab arping --from client --ip "$ip"

say "Done. The lab is left running"
cat <<TEXT
Look around:
  export KUBECONFIG=$(lab kubeconfig)      # build/lab kubectl --name $name -- ... works without a kubectl
  build/lab kubectl --name $name -- get services,ipaddresspools,speakerstatuses
  build/lab status --name $name
Stop it:
  build/lab down --name $name
TEXT
