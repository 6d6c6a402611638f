# SPDX-License-Identifier: Apache-2.0
# One image for every role; what is installed is installed by the same script as on a bare machine.
FROM debian:12-slim
WORKDIR /opt/tallygate
COPY . .
# Whatever the umask of the checkout was, each role's own user reads the code and none writes it.
RUN scripts/bootstrap && chmod -R go=u-w . && rm -rf /var/lib/apt/lists/*
ENTRYPOINT ["/opt/tallygate/.venv/bin/tallygate"]
