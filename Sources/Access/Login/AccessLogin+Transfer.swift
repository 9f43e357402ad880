import Foundation
import NIOHTTP1
package import TunnelConfig

/// The part of a login that a person does in the browser, and what comes back from it (access-protocol sections 2.9 to 2.11
/// and 4).
extension AccessLogin {
    private struct Tokens: Decodable {
        var appToken: String
        var orgToken: String?

        enum CodingKeys: String, CodingKey {
            case appToken = "app_token"
            case orgToken = "org_token"
        }
    }

    private var transferStore: TransferStore {
        TransferStore(
            base: configuration.storeURL, transport: transport, userAgent: configuration.userAgent, clock: clock)
    }

    /// Shows the login, waits for it, and keeps what it gave.
    func transfer(_ application: ProtectedApplication) async throws -> AccessToken {
        let pair = try Self.keyPair()
        let key = pair.publicKey.text
        let page = LoginPage(url: loginURL(application, key: key), yield: .token)
        let notes = [application.tokenFile, application.teamTokenFile].map(addressFile)
        for note in notes { try store.write(page.url, to: note) }
        defer { for note in notes { store.remove(note) } }
        await presenter.present(page)
        let answer = try await transferStore.fetch("transfer/\(key)") { presenter.stillWaiting() }
        guard let message = Self.opened(answer, by: pair),
            let tokens = try? JSONDecoder().decode(Tokens.self, from: Data(message))
        else {
            throw LoginError(
                .transfer, "what \(configuration.storeURL) handed out was not sealed for this login; try again")
        }
        guard let token = AccessToken(tokens.appToken), application.isNamed(by: token),
            token.isLive(at: now())
        else {
            throw LoginError(
                .transfer,
                "the login gave no token for \(application.url.authority) that is valid now; check the clocks")
        }
        if let text = tokens.orgToken, let teamToken = AccessToken(text), teamToken.isLive(at: now()) {
            try store.write(teamToken.text, to: application.teamTokenFile)
        }
        try store.write(token.text, to: application.tokenFile)
        return token
    }

    /// What a person opens to log in; the key in it is all that is needed to fetch the tokens, and only who has its other
    /// half can read them.
    func loginURL(_ application: ProtectedApplication, key: String) -> String {
        var target = application.url
        target.set([("aud", application.audience), ("token", key)])
        var url = application.url
        url.set(
            [
                ("aud", application.audience), ("token", key), ("redirect_url", target.description),
                ("send_org_token", "true"), ("edge_token_transfer", "true"),
            ] + (configuration.closesPage ? [("close_interstitial", "true")] : []))
        url.path = "/cdn-cgi/access/cli"
        return url.description
    }

    /// The account certificate, from a login at the account's own page.
    ///
    /// - Parameters:
    ///   - loginURL: of that page.
    ///   - callbackURL: where it leaves the certificate; the store, unless told otherwise.
    /// - Throws: `LoginError`, `ConfigError`, an error of the transport, `CancellationError`.
    package func accountCertificate(
        loginURL: WebURL, callbackURL: WebURL, path: String
    ) async throws -> OriginCertificate {
        let pair = try Self.keyPair()
        let key = pair.publicKey.text
        var url = loginURL
        url.set([("aud", ""), ("callback", callbackURL.description + key)])
        await presenter.present(LoginPage(url: url.description, yield: .certificate))
        let answer = try await transferStore.fetch(key) { presenter.stillWaiting() }
        // Our edge seals it; elsewhere it comes as it is, protected by the key alone.
        let isSealed = answer.headers.contains(name: "service-public-key")
        guard let bytes = isSealed ? Self.opened(answer, by: pair) : answer.body,
            let text = String(validating: bytes, as: UTF8.self)
        else {
            throw LoginError(.transfer, "what \(configuration.storeURL) handed out is no certificate; try again")
        }
        return try OriginCertificate.parse(pem: text, path: path)
    }

    private static func keyPair() throws -> SealedBox.KeyPair {
        guard let pair = SealedBox.KeyPair.generate() else {
            throw LoginError(.configuration, "libsodium cannot be used on this machine")
        }
        return pair
    }

    private static func opened(_ answer: WebAnswer, by pair: SealedBox.KeyPair) -> [UInt8]? {
        let text = answer.body.filter { $0 != 0x0A && $0 != 0x0D }
        guard let header = answer.headers.first(name: "service-public-key"),
            let sender = SealedBox.PublicKey(text: header), let sealed = Data(base64Encoded: Data(text))
        else { return nil }
        return SealedBox.open(Array(sealed), from: sender, with: pair)
    }
}
