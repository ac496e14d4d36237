#!/usr/bin/env bash
# Builds the image and the two Flex templates, and the image of the pages.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: templates/build.sh --project=P --region=R --bucket=B [--tag=T] [--service-account=EMAIL] [--web] [--dry-run]

Builds the image in Cloud Build, pushes it to Artifact Registry as
  R-docker.pkg.dev/P/heavy-rotation/pipelines:T
and writes the templates gs://B/templates/T/stream.json and gs://B/templates/T/rebuild.json, which name it.
Those of other tags stay as they are, and so does what runs.

  --project=P              the Google Cloud project (or $PROJECT)
  --region=R               where the repository heavy-rotation is, such as europe-west1 (or $REGION)
  --bucket=B               the bucket's name, without gs:// (or $BUCKET)
  --tag=T                  the image's tag (or $TAG; default: the commit, as git describes it)
  --machine-type=M         the workers' machine (default: e2-standard-2)
  --max-workers=N          how many workers may be started when messages wait (default: 3)
  --service-account=EMAIL  the account that Cloud Build builds as (default: the project's own choice)
  --web                    build the image of the pages too, R-docker.pkg.dev/P/heavy-rotation/web:T
  --dry-run                print the commands, run none
TEXT
}

fail() {
  echo "templates/build.sh: $1; --help says how" >&2
  exit 2
}

run() {
  printf '%q ' "$@" | sed 's/ $//'
  echo
  if [[ -z "$dry_run" ]]; then "$@"; fi
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."

project=${PROJECT:-} region=${REGION:-} bucket=${BUCKET:-} tag=${TAG:-} account="" dry_run="" web=""
machine_type=e2-standard-2 max_workers=3
for argument in "$@"; do
  value=${argument#*=}
  case $argument in
    --project=*) project=$value ;;
    --region=*) region=$value ;;
    --bucket=*) bucket=$value ;;
    --tag=*) tag=$value ;;
    --machine-type=*) machine_type=$value ;;
    --max-workers=*) max_workers=$value ;;
    --service-account=*) account=$value ;;
    --web) web=yes ;;
    --dry-run) dry_run=yes ;;
    --help | -h)
      usage
      exit
      ;;
    *) fail "unknown argument $argument" ;;
  esac
done
[[ -n "$project" ]] || fail "the project is missing, --project=P"
[[ -n "$region" ]] || fail "the region is missing, --region=R"
[[ "$max_workers" =~ ^[1-9][0-9]*$ ]] || fail "$max_workers is no number of workers, --max-workers=N"
[[ "$bucket" =~ ^[a-z0-9][a-z0-9._-]*[a-z0-9]$ ]] || fail "the bucket's name is missing or has a gs://, --bucket=B"
: "${tag:=$(git describe --always --dirty)}"

build() {
  run gcloud builds submit . --project="$project" --config=templates/cloudbuild.yaml --substitutions="$1" \
    ${account:+--service-account="projects/$project/serviceAccounts/$account"} \
    ${account:+--gcs-source-staging-dir="gs://$bucket/staging/source"}
}

repository=$region-docker.pkg.dev/$project/heavy-rotation
image=$repository/pipelines:$tag
build "_IMAGE=$image"
if [[ -n "$web" ]]; then build "_IMAGE=$repository/web:$tag,_DOCKERFILE=templates/web.Dockerfile"; fi
for template in stream rebuild; do
  run gcloud dataflow flex-template build "gs://$bucket/templates/$tag/$template.json" --project="$project" \
    --image="$image" --sdk-language=PYTHON --metadata-file="templates/${template}_metadata.json" \
    --worker-machine-type="$machine_type" --num-workers=1 --max-workers="$max_workers" \
    --subnetwork="regions/$region/subnetworks/heavy-rotation" \
    --staging-location="gs://$bucket/staging" --temp-location="gs://$bucket/temp"
done
[[ -n "$dry_run" ]] && echo "# Nothing was run." && exit
echo "# Built. What runs it: image_tag = \"$tag\" in infra/terraform.tfvars, then terraform -chdir=infra apply"
