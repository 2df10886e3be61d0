# The service in a container: model inside, no network needed, not root.
#
#     docker build -t pellucid .
#     docker run --rm --read-only --tmpfs /tmp -p 127.0.0.1:7860:7860 pellucid
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY src ./src
RUN python -m venv /srv/pellucid \
    && /srv/pellucid/bin/pip install --no-cache-dir -c constraints.txt ".[web,formats]"

FROM python:3.12-slim
COPY --from=build /srv/pellucid /srv/pellucid
RUN useradd --system --no-create-home --uid 10001 pellucid
USER 10001
ENV PATH=/srv/pellucid/bin:$PATH PYTHONDONTWRITEBYTECODE=1
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://localhost:7860/readyz', timeout=4)"]
# Browsers reach it as localhost; add --allow-host NAME for another name.
ENTRYPOINT ["pellucid", "web", "--host", "0.0.0.0"]
