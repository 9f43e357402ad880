package import AccessPolicy
package import NIOCore
package import NIOHTTP1

/// A request of a visitor as the Access service sees it, whole.
package struct AccessRequest: Sendable {
    package var method: String
    /// Path and query, as they came.
    package var target: String
    /// Host name in lower case, without port.
    package var host: String
    /// The host with the port the visitor gave, if any.
    package var authority: String
    package var headers: HTTPHeaders
    /// Bounded by the edge.
    package var body: ByteBuffer
    /// The visitor's, without port.
    package var address: String
    /// Names the request in all logs.
    package var ray: String

    package init(
        method: String, target: String, host: String, authority: String, headers: HTTPHeaders,
        body: ByteBuffer = ByteBuffer(), address: String, ray: String
    ) {
        self.method = method
        self.target = target
        self.host = host
        self.authority = authority
        self.headers = headers
        self.body = body
        self.address = address
        self.ray = ray
    }
}

/// Its answer, whole.
package struct AccessResponse: Sendable {
    package var status: Int
    package var headers: HTTPHeaders
    package var body: ByteBuffer

    package init(status: Int, headers: HTTPHeaders = [:], body: ByteBuffer = ByteBuffer()) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// The identity side of the edge, as the gate needs it: tokens, logins, and the answers under `/cdn-cgi/access/`.
///
/// Every call ends within the edge's deadline for such answers, also when the calling task is cancelled.
package protocol AccessService: Sendable {
    /// What a token says whose signature, issuer, kind and times are good; nil otherwise. Whether its session lives is
    /// for the caller to see.
    func claims(of token: String, kind: TokenKind) async -> TokenClaims?

    /// The token that tells a connector and its origin who is let in (`Cf-Access-Jwt-Assertion`). Nil when none can be
    /// signed, which must keep the visitor out.
    func assertion(
        for application: AccessApplication, admission: AccessDecision.Admission
    ) async -> String?

    /// Answers `Cf-Access-Metadata-Request` (access-protocol section 3.4).
    func metadata(for application: AccessApplication, _ request: AccessRequest) async -> AccessResponse

    /// Sends somebody who is not logged in to the login (section 3.5).
    func login(
        to application: AccessApplication, _ request: AccessRequest, lack: AccessDecision.ServiceTokenLack
    ) async -> AccessResponse

    /// Answers what is the service's own: hosts of the team and the transfer store, and `/cdn-cgi/access/…` of a host.
    ///
    /// - Parameter application: that guards the host the request came to, if any.
    func respond(to request: AccessRequest, application: AccessApplication?) async -> AccessResponse
}
