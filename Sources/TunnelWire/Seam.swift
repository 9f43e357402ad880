package enum StreamKind: Sendable, Equatable {
    case http, webSocket, tcp, controlStream, updateConfiguration
    package var upgradeValue: String? { nil }
    package static func classify(connectionUpgrade: String?, proxySource: String?) -> StreamKind { .http }
}
package enum ControlHeader {
    package static let connectionUpgrade = "cf-cloudflared-proxy-connection-upgrade"
    package static let proxySource = "cf-cloudflared-proxy-src"
    package static let responseHeaders = "cf-cloudflared-response-headers"
    package static let responseMeta = "cf-cloudflared-response-meta"
    package static func isInternal(_ n: String) -> Bool { false }
}
package enum ResponseMeta: String, Sendable {
    case origin, connector, flowRateLimited
    package init(decoding: String) { self = .origin }
}
package enum ResponseHeaderBlob {
    package static func encode(_ p: [(name: String, value: String)]) -> String { "" }
    package static func decode(_ b: String) throws -> [(name: String, value: String)] { [] }
}
