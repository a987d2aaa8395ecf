# The workflow with its set-up done: `docker build -t gaia-offsets .`, then any target of the Makefile:
#   docker run --rm -v "$PWD/results:/gaia-offsets/results" gaia-offsets demo
FROM python:3.12-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends make \
 && rm -rf /var/lib/apt/lists/*
# Not root; a folder that is mounted must be writable for this user (docker run --user for another).
RUN useradd --create-home --uid 1000 astronomer && install --directory --owner astronomer /gaia-offsets
USER astronomer
WORKDIR /gaia-offsets
COPY --chown=astronomer . .
RUN make setup
# For `docker run --user`: a user without a name has no home, which Snakemake and astropy ask for.
ENV HOME=/tmp USER=astronomer LOGNAME=astronomer
ENTRYPOINT ["make"]
CMD ["demo"]
