import AccessPolicy
import NIOHTTP1

/// What a visitor shows of who they are (access-protocol sections 3.3, 6 and 3.8). Secret.
struct VisitorCredentials: Sendable {
    var serviceToken: PresentedServiceToken?
    /// An application's token: of a user, or one that the edge once signed for a service token.
    var token: String?

    /// No real token is longer (section 3.13, 14).
    private static let longestToken = 8 << 10

    /// - Parameter application: that guards the host.
    /// - Throws: for two tokens that differ: which one counts, edge and origin might see differently.
    init(_ request: VisitorRequest, for application: AccessApplication) throws(VisitorRequest.Refusal) {
        serviceToken = Self.serviceToken(request.headers, application)
        let given = Set(request.headers["cf-access-token"])
        let cookies = Set(Self.cookies(request.headers, "CF_Authorization"))
        guard given.count <= 1, cookies.count <= 1 else {
            throw VisitorRequest.Refusal(
                status: 400, reason: "it carries two Access tokens that differ; delete the cookies of \(request.host)")
        }
        token = (given.first ?? cookies.first).flatMap { $0.utf8.count <= Self.longestToken ? $0 : nil }
    }

    private static func serviceToken(
        _ headers: HTTPHeaders, _ application: AccessApplication
    ) -> PresentedServiceToken? {
        if let id = headers.only("cf-access-client-id"), let secret = headers.only("cf-access-client-secret") {
            return PresentedServiceToken(clientID: id, clientSecret: ServiceTokenSecret(secret))
        }
        return application.serviceTokenHeader.flatMap { headers.only($0) }.flatMap { PresentedServiceToken(json: $0) }
    }

    /// The values of all cookies of one name.
    static func cookies(_ headers: HTTPHeaders, _ name: String) -> [String] {
        headers["cookie"].flatMap { $0.split(separator: ";") }.compactMap { pair in
            guard let equals = pair.firstIndex(of: "="), pair[..<equals].trimmed == name else { return nil }
            return String(pair[pair.index(after: equals)...].trimmed)
        }
    }
}

extension Substring {
    /// Without the blanks around it that HTTP allows.
    var trimmed: Substring {
        var rest = self
        while let first = rest.utf8.first, first == 0x20 || first == 0x09 { rest.removeFirst() }
        while let last = rest.utf8.last, last == 0x20 || last == 0x09 { rest.removeLast() }
        return rest
    }
}

extension HTTPHeaders {
    /// The value of a header that may be there once only; nil when it is absent or repeated.
    func only(_ name: String) -> String? {
        let values = self[name]
        return values.count == 1 ? values.first : nil
    }
}
