#!/bin/sh
# Makes the secrets that docker-compose.yml wants, once, in data/compose.env. Git and image builds leave `data` out.
#
#   sh docs/compose/secrets.sh
#   docker compose --env-file data/compose.env up --build
set -eu
umask 077
file=data/compose.env
if [ -e "$file" ]; then
    echo "$file is there already; delete it, and the volumes, to begin anew" >&2
    exit 1
fi
mkdir -p data
random() { openssl rand -hex "$1"; }
cat >"$file.new" <<END
LIVETAPE_TOKEN=$(random 24)
LIVETAPE_WEBHOOK_SECRET=whsec_$(openssl rand -base64 32)
LIVETAPE_S3_KEY_ID=GK$(random 16)
LIVETAPE_S3_SECRET=$(random 32)
GARAGE_RPC_SECRET=$(random 32)
GRAFANA_PASSWORD=$(random 12)
END
mv "$file.new" "$file"
echo "made $file"
