/// One rule: requests for `hostname` and `path` go to `service`.
package struct IngressRule: Hashable, Sendable {
    /// Nil: every host.
    package var hostname: HostnamePattern?
    /// Nil: every path.
    package var path: PathPattern?
    package var service: OriginService
    package var originRequest: OriginRequest

    package init(
        hostname: HostnamePattern? = nil, path: PathPattern? = nil, service: OriginService,
        originRequest: OriginRequest = OriginRequest()
    ) {
        self.hostname = hostname
        self.path = path
        self.service = service
        self.originRequest = originRequest
    }

    /// Whether no request is left for the rules after this one.
    package var matchesEverything: Bool { hostname == nil && path == nil }
}
