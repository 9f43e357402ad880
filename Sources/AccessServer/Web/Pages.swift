import Access
import AccessPolicy
import Foundation

/// The pages that people see on the way.
enum Pages {
    static func choice(_ purpose: LoginPurpose, _ providers: [IdentityProvider], target: String) -> Page {
        let links = providers.map { provider -> HTML in
            "<a class=\"act\" href=\"\(target)&amp;idp=\(Form.encoded(provider.id))\">\(provider.name)</a>\n"
        }
        return Page(
            title: "Log in",
            content: """
                <p>How do you want to log in to <strong>\(purpose.host)</strong>?</p>
                <nav aria-label="Ways to log in">\(HTML(joining: links))</nav>
                """)
    }

    static func denied(_ session: AccessSession) -> Page {
        let who = session.profile.email ?? session.profile.name ?? "this account"
        return Page(
            status: 403, title: "You are not let in",
            content: """
                <p>You are logged in as <strong>\(who)</strong>, and no policy of this application lets you in.</p>
                <p>Ask its administrator, or log out and come back as somebody else.</p>
                <p><a class="act soft" href="/cdn-cgi/access/logout">Log out</a></p>
                """)
    }

    static func loginExpired() -> Page {
        Page(
            status: 400, title: "This login cannot go on",
            content: """
                <p>It has taken too long, was used already, or was begun in another browser or without cookies.</p>
                <p>Open the application again to begin anew.</p>
                """)
    }

    static func noProvider() -> Page {
        Page(
            status: 503, title: "Nobody can log in here yet",
            content: """
                <p>This edge has no identity provider.</p>
                <p>Its administrator adds one under <code>identity_providers</code> of <code>access.yml</code>.</p>
                """)
    }

    static func providerFailed(_ provider: IdentityProvider, _ failure: ProviderFailure) -> Page {
        let title =
            failure.code == .refused || failure.code == .untrusted
            ? "The login was refused" : "The identity provider does not answer as it should"
        return Page(
            status: failure.code == .refused || failure.code == .untrusted ? 403 : 502, title: title,
            content: """
                <dl><dt>Identity provider</dt><dd>\(provider.name)</dd>
                <dt>Where it stopped</dt><dd>\(failure.hop)</dd>
                <dt>Reason</dt><dd>\(failure.reason)</dd></dl>
                <p>Open the application again to begin anew; if it stays so, tell its administrator the number below.</p>
                """)
    }

    static func busy() -> Page {
        Page(
            status: 503, title: "Too many logins at once",
            content: "<p>Open the application again in a minute.</p>")
    }

    static func failed() -> Page {
        Page(
            status: 500, title: "The edge has failed",
            content: "<p>Try again; if it stays so, tell the administrator the number below: its log says more.</p>")
    }

    static func notFound() -> Page {
        Page(status: 404, title: "Nothing is here", content: "<p>The address is wrong, or no longer in use.</p>")
    }

    static func badRequest(_ reason: String) -> Page {
        Page(status: 400, title: "This cannot be done", content: "<p>\(reason)</p>")
    }

    static func loggedOut() -> Page {
        Page(
            title: "You are logged out",
            content: """
                <p>Your login has ended, for every application and every program that used it.</p>
                <p>Your identity provider may still know you: log out there as well on a computer that is not yours.</p>
                """)
    }

    static func logoutQuestion(token: String) -> Page {
        Page(
            title: "Log out?",
            content: """
                <p>A page of another site has led you here.</p>
                <form method="post" action="/cdn-cgi/access/logout">
                <input type="hidden" name="csrf" value="\(token)">
                <button class="act" type="submit">Log out</button>
                </form>
                """)
    }
}
