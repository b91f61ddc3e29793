# The image serves the graph as it is in this checkout. The release is built here, so that the container writes nothing.
FROM python:3.13.9-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/aikg
COPY requirements.lock .
RUN /opt/aikg/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
RUN /opt/aikg/bin/pip install --no-cache-dir --no-deps . \
 && KG_PROJECT=/src /opt/aikg/bin/kg build --out /releases

FROM python:3.13.9-slim-bookworm
COPY --from=build /opt/aikg /opt/aikg
COPY --from=build /releases /releases
ENV PATH=/opt/aikg/bin:$PATH KG_RELEASES=/releases PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
CMD ["kg", "serve", "--host", "0.0.0.0"]
