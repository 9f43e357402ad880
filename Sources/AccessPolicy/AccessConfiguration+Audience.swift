extension AccessConfiguration {
    /// The application with an audience tag, and its domain at a host, where it has one there.
    ///
    /// It need not be the one that guards the whole host: what it guards there, `decide` says.
    package func application(audience: String, at host: CanonicalHost) -> (AccessApplication, ApplicationDomain)? {
        guard let application = applications.first(where: { $0.audience == audience }),
            let domain = application.domains.filter({ $0.host.matches(host.name) })
                .min(by: ApplicationDomain.isMoreParticular)
        else { return nil }
        return (application, domain)
    }
}
