import Foundation

/// A person at a real browser; see the `browser` fixture. What it is asked fails when the page does not turn up, says
/// something on its console, or takes anything from another host.
struct Browser: Sendable {
    struct Page: Decodable, Sendable {
        let url: String
        let title: String
        let text: String
        let value: String?
    }

    private struct Facts: Decodable, Sendable { let version: String }
    private struct Trouble: Decodable { let error: String }

    /// Where the pictures of the pages go: not into the tree.
    static let shots =
        ProcessInfo.processInfo.environment["CLOUDFLARED_ARTIFACTS"]
        ?? FileManager.default.temporaryDirectory.appendingPathComponent("cloudflared-pages").path

    private let program: Program

    static func start(on stage: Stage, trusting authorities: [String]) async throws -> Browser {
        let trust = authorities.flatMap { ["--trust", $0] }
        return Browser(
            program: try await stage.fixture(["browser", "--shots", shots] + trust, as: Facts.self).program)
    }

    @discardableResult
    func open(_ url: String) async throws -> Page { try await order(["open": url]) }

    @discardableResult
    func click(_ css: String) async throws -> Page { try await order(["click": css]) }

    /// Fills the provider's forms.
    @discardableResult
    func logIn(_ name: String) async throws -> Page { try await order(["log in": name]) }

    /// Waits until the address matches.
    @discardableResult
    func arrive(at pattern: String) async throws -> Page { try await order(["await": pattern]) }

    /// Waits until the text of the page matches.
    @discardableResult
    func read(_ pattern: String) async throws -> Page { try await order(["read": pattern]) }

    /// Takes pictures of the page, and looks whether it fits on a telephone.
    func photograph(_ name: String) async throws { _ = try await order(["shot": name]) }

    /// Lets the program in that waits behind the consent page.
    func allow() async throws {
        try await click("button[value=allow]")
        try await read("The program can go on")
    }

    /// The value of a cookie of the page.
    func cookie(_ name: String) async throws -> String? { try await order(["cookie": name]).value }

    /// Another person sits down.
    func forget() async throws { _ = try await order(["forget": "everything"]) }

    private func order(_ order: [String: String]) async throws -> Page {
        let line = String(decoding: try JSONEncoder().encode(order), as: UTF8.self)
        let answer = Data(try await program.answer(to: line).utf8)
        if let trouble = try? JSONDecoder().decode(Trouble.self, from: answer) {
            throw NotSeen(description: "the browser, asked \(line): \(trouble.error)")
        }
        return try JSONDecoder().decode(Page.self, from: answer)
    }
}
